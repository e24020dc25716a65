"""The users service: who somebody is."""

from gateway.upstream import PendingCall, ResponseModel, ServiceClient, Timestamp


class Address(ResponseModel):
    """Where a user lives."""

    city: str
    country: str
    postcode: str


class User(ResponseModel):
    """One user."""

    id: int
    email: str
    full_name: str
    is_active: bool
    plan: str
    created_at: Timestamp
    locale: str
    avatar_url: str
    address: Address
    loyalty_points: int


class Users(ServiceClient, name="users"):
    """The users service."""

    # To its users "get" is what one does with a user; the HTTP word stays reachable as super().
    def get(self, user_id: int) -> PendingCall[User]:  # type: ignore[override]
        """The user of that id."""
        return super().get("/users/{user_id}", user_id=user_id, into=User)
