"""Aggregation: one response from many services, declared as a model and loaded by fan-out."""

from gateway.aggregation.dependency import Composed
from gateway.aggregation.model import Composite, Degraded
from gateway.aggregation.part import Part

__all__ = ["Composed", "Composite", "Degraded", "Part"]
