"""Client of the users service."""

from gateway.upstream import PendingCall, ResponseModel, ServiceClient


class User(ResponseModel):
    """A user."""

    id: int
    name: str


class Users(ServiceClient, name="users"):
    """Client of the users service."""

    def find(self, user_id: int) -> PendingCall[User]:
        """Return the user with this id."""
        return self.get("/users/{user_id}", user_id=user_id, into=User)
