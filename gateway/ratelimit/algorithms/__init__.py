"""The rate-limit algorithms, one file each. `LimitState` in `memory.py` is their interface."""
