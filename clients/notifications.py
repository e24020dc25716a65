"""Client of the notifications service: a user's unread notifications."""

from gateway.upstream import PendingCall, ResponseModel, ServiceClient, Timestamp


class Notification(ResponseModel):
    """A notification to a user."""

    id: int
    type: str
    title: str
    body: str
    read: bool
    at: Timestamp


class Notifications(ServiceClient, name="notifications"):
    """Client of the notifications service."""

    def unread(self, user_id: int) -> PendingCall[list[Notification]]:
        """Return the user's unread notifications."""
        return self.get(
            "/notifications/unread", params={"user_id": user_id}, into=list[Notification]
        )
