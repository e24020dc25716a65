"""Replays recorded decisions: with the rules in force, to check them, and with proposed ones."""
