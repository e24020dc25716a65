"""The rate-limit algorithms, one file each. `LimitState` in `limit_state.py` is their interface."""
