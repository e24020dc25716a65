"""Five small downstream services with believable data, latency and faults, and an issuer of tokens.

`make run`, the tests and the benchmarks use the same ones. Nothing here belongs in production.
"""
