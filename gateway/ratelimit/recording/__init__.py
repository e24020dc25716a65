"""Records the decisions of the limiter in bounded memory, so that they can be replayed."""
