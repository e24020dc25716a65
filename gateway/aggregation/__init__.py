"""Aggregation: a response model whose parts are loaded from several services concurrently."""

from gateway.aggregation.dependency import Composed
from gateway.aggregation.model import Composite, Degraded
from gateway.aggregation.part import Part
from gateway.aggregation.part_result import FromPart

__all__ = ["Composed", "Composite", "Degraded", "FromPart", "Part"]
