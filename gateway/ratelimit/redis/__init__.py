"""The rate limiter on Redis."""
