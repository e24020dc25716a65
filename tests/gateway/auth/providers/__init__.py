"""Tokens, key sets and discovery documents in the shapes that identity providers document."""
