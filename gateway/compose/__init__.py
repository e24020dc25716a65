"""One response from many services: declared as a model, loaded at once, honest when partial."""

from gateway.compose.model import Composite, Degraded
from gateway.compose.part import Part
from gateway.compose.route import Composed

__all__ = ["Composed", "Composite", "Degraded", "Part"]
