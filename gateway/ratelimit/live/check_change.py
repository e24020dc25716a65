"""Checks a change of live limits before it is written; each mistake has the path of its field."""

from collections.abc import Iterator

from gateway.ratelimit.live.apply_document import apply_document, find_partition_error
from gateway.ratelimit.live.change_errors import InvalidDocument
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.settings.errors import ConfigError
from gateway.settings.setting_path import format_path
from gateway.storage.journal import Author
from gateway.storage.journal_bounds import MAX_TEXT_LENGTH


def prepare_change(
    base: PolicyInForce, document: LiveDocument, current: LiveDocument | None, now: float
) -> str | None:
    """Return the text to store; None if the document overrides nothing.

    A part that has ended, and is the same in both documents, is dropped: a change of
    one field sends the others as they are. `now` is in seconds since the epoch.

    Raises:
        InvalidDocument: a value does not fit the policy, or has an end that has passed.
    """
    lasting = _drop_ended(document, current or LiveDocument(), now)
    errors = list(_find_passed_ends(lasting, now))
    try:
        apply_document(base, lasting)
    except InvalidDocument as invalid:
        errors += invalid.errors
    if errors:
        raise InvalidDocument(errors)
    return None if lasting.is_empty else lasting.to_text()


def check_rollback(base: PolicyInForce, document: str | None) -> None:
    """Check that an earlier document still fits the policy.

    Raises:
        InvalidDocument: it does not.
    """
    if document is not None:
        apply_document(base, LiveDocument.read(document))


def check_author(author: Author) -> None:
    """Check the texts of an author, which the journal keeps.

    Raises:
        InvalidDocument: a text is too long, or not printable.
    """
    errors = [
        ConfigError(name, f"must be at most {MAX_TEXT_LENGTH} printable characters")
        for name, text in (("actor", author.actor), ("reason", author.reason))
        if not text.isprintable() or len(text) > MAX_TEXT_LENGTH
    ]
    if errors:
        raise InvalidDocument(errors)


def check_key(policy: Policy, key: str) -> None:
    """Check the key of a caller under a policy.

    Raises:
        InvalidDocument: it is no key of this policy.
    """
    LiveDocument.parse({"overrides": {key: {"kind": "allow"}}})
    if message := find_partition_error(policy, key):
        raise InvalidDocument([ConfigError("key", message)])


def _drop_ended(document: LiveDocument, current: LiveDocument, now: float) -> LiveDocument:
    """Drop the values and overrides that have ended, and that the current document has as well."""
    overrides = {
        key: it
        for key, it in document.overrides.items()
        if not (it.has_ended(now) and it == current.overrides.get(key))
    }
    is_carried = all(
        getattr(document, name) == getattr(current, name) for name in (*document.values, "until")
    )
    if document.has_ended(now) and is_carried:
        return LiveDocument(overrides=overrides)
    return document.model_copy(update={"overrides": overrides})


def _find_passed_ends(document: LiveDocument, now: float) -> Iterator[ConfigError]:
    ends = {("until",): document.has_ended(now)} | {
        ("overrides", key, "until"): it.has_ended(now) for key, it in document.overrides.items()
    }
    for path, has_ended in ends.items():
        if has_ended:
            hint = "set a later time, or leave it out for no end"
            yield ConfigError(format_path(path), "has passed", hint)
