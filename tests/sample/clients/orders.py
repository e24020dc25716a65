"""Client of the orders service."""

from gateway.upstream import PendingCall, ResponseModel, ServiceClient


class Order(ResponseModel):
    """An order of a user."""

    id: int
    user_id: int
    total: float


class Orders(ServiceClient, name="orders"):
    """Client of the orders service."""

    def recent(self, user_id: int, *, limit: int) -> PendingCall[list[Order]]:
        """Return the user's newest orders."""
        return self.get("/orders", params={"user_id": user_id, "limit": limit}, into=list[Order])
