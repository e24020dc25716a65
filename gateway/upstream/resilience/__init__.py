"""Call policies for unreliable services."""
