"""Aggregation: a response model whose parts are loaded from several services concurrently."""

from gateway.aggregation.dependency import Composed
from gateway.aggregation.from_part import FromPart
from gateway.aggregation.model import Composite, Degraded
from gateway.aggregation.part import Part

__all__ = ["Composed", "Composite", "Degraded", "FromPart", "Part"]
