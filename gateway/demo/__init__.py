"""Five demo services with realistic data, latency and faults, and a development token issuer.

`make run`, the tests and the benchmarks use them. They are not for production.
"""
