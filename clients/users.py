"""Client of the users service: profiles."""

from gateway.upstream import PendingCall, ResponseModel, ServiceClient, Timestamp


class Address(ResponseModel):
    """The address of a user."""

    city: str
    country: str
    postcode: str


class User(ResponseModel):
    """A user's profile."""

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
    """Client of the users service."""

    # `users.get(7)` reads best, so it overrides the HTTP method, which is still super().get().
    def get(self, user_id: int) -> PendingCall[User]:  # type: ignore[override]
        """Return the user with this id."""
        return super().get("/users/{user_id}", user_id=user_id, into=User)
