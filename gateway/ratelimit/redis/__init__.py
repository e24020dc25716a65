"""Counters in Redis: the limiter, its connection and the Lua script."""
