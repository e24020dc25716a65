"""Callbacks of running requests, when the server stops."""

from gateway.server.shutdown_notice import ShutdownNotice


def test_each_callback_is_called_once_unless_it_was_discarded() -> None:
    notice, called = ShutdownNotice(), list[str]()
    first, second, late = (lambda name=name: called.append(name) for name in ("a", "b", "late"))
    notice.add(first)
    notice.add(second)
    notice.discard(first)
    notice.give()
    notice.give()
    assert called == ["b"]
    notice.add(late)
    assert called == ["b", "late"]
