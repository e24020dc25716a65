"""The notifications service: what somebody has not read yet."""

from gateway.upstream import PendingCall, ResponseModel, ServiceClient, Timestamp


class Notification(ResponseModel):
    """One notification."""

    id: int
    type: str
    title: str
    body: str
    read: bool
    at: Timestamp


class Notifications(ServiceClient, name="notifications"):
    """The notifications service."""

    def unread(self, user_id: int) -> PendingCall[list[Notification]]:
        """What the user has not read yet."""
        return self.get(
            "/notifications/unread", params={"user_id": user_id}, into=list[Notification]
        )
