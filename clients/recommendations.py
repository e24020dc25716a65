"""The recommendations service: what somebody may like."""

from typing import Annotated

from pydantic import Field

from gateway.upstream import PendingCall, ResponseModel, ServiceClient


class Recommendation(ResponseModel):
    """A product somebody may like, with how sure the service is, from 0 to 1."""

    sku: str
    name: str
    price: float
    score: Annotated[float, Field(ge=0, le=1)]
    image: str
    reason: str


class Recommendations(ServiceClient, name="recommendations"):
    """The recommendations service."""

    def for_user(self, user_id: int) -> PendingCall[list[Recommendation]]:
        """What the user may like, surest first."""
        return self.get("/recommendations/{user_id}", user_id=user_id, into=list[Recommendation])
