"""Notifications are unread, newest first, and match the user's newest order."""

import asyncio
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.demo.user_id import MAX_ID
from tests.shop.demo.in_process import get


@given(st.integers(1, MAX_ID))
@settings(max_examples=40, deadline=None)
def test_notifications_are_unread_and_newest_first(user_id: int) -> None:
    path = f"/notifications/unread?user_id={user_id}"
    unread = asyncio.run(get("notifications", path)).json()
    times = [datetime.fromisoformat(notification["at"]) for notification in unread]

    assert not any(notification["read"] for notification in unread)
    assert times == sorted(times, reverse=True)
    assert not any("{" in notification["body"] for notification in unread)


@given(st.integers(1, MAX_ID))
@settings(max_examples=40, deadline=None)
def test_the_first_notification_is_about_the_newest_order(user_id: int) -> None:
    path = f"/notifications/unread?user_id={user_id}"
    newest = asyncio.run(get("notifications", path)).json()[0]
    [order] = asyncio.run(get("orders", f"/orders?user_id={user_id}&limit=1")).json()

    assert newest["type"] == "order"
    assert str(order["id"]) in newest["body"]
    assert newest["at"] >= order["created_at"]
