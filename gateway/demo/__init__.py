"""The services of the demo shop as fakes, with realistic data: one file per service.

`make run`, the shop's tests and the benchmarks use them. They are not a part of the wheel.
"""
