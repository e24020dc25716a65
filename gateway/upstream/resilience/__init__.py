"""Policies that make calls to unreliable services succeed more often, or fail sooner."""
