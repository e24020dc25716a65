"""Client of the recommendations service: products to recommend to a user."""

from typing import Annotated

from pydantic import Field

from gateway.upstream import PendingCall, ResponseModel, ServiceClient


class Recommendation(ResponseModel):
    """A recommended product. `score` is the confidence of the service, from 0 to 1."""

    sku: str
    name: str
    price: float
    score: Annotated[float, Field(ge=0, le=1)]
    image: str
    reason: str


class Recommendations(ServiceClient, name="recommendations"):
    """Client of the recommendations service."""

    def for_user(self, user_id: int) -> PendingCall[list[Recommendation]]:
        """Return the products recommended to the user, highest score first."""
        return self.get("/recommendations/{user_id}", user_id=user_id, into=list[Recommendation])
