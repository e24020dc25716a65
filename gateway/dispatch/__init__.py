"""Routes settled at start-up: a request that fits one takes a straight way through it."""
