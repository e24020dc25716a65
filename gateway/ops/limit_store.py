"""`LimitStore`: the policies and their live documents, as the routes of the ops API use them."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from gateway.errors.tree import DatabaseUnavailable
from gateway.ops.build_document import DocumentChange
from gateway.ops.caller_keys import CallerKeys
from gateway.ops.limit_description import describe_limit
from gateway.ops.models import Limit, LimitChange, Proposal, UnusedLimit
from gateway.ops.ops_errors import (
    ChangesUnavailable,
    InvalidChange,
    InvalidField,
    PreconditionFailed,
    UnknownLimit,
)
from gateway.ratelimit.live.change_errors import (
    InvalidDocument,
    NoDatabase,
    UnknownPolicy,
    UnknownVersion,
    VersionConflict,
)
from gateway.ratelimit.live.limit_history import HistoryEntry
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.ratelimit.live.live_limits import LiveLimits, PolicyView
from gateway.settings.setting_path import parse_path
from gateway.storage.journal import Author


class LimitStore:
    """Reads and changes policies; the errors are those of the ops API.

    Documents are built in threads: one with many overrides takes tens of milliseconds.

    Every method raises `UnknownLimit` if there is no policy of the name. A change also raises
    `InvalidChange` for a field that does not fit, `PreconditionFailed` if the current version is
    another one, and `ChangesUnavailable` without a database that responds. A change to the document
    that is there writes nothing: the limit has the same version as before.
    """

    def __init__(self, live: LiveLimits, keys: CallerKeys) -> None:
        self._live = live
        self._keys = keys

    def list_limits(self) -> Sequence[Limit]:
        """Return all policies, in the order of their declaration."""
        return [describe_limit(view) for view in self._live.list()]

    def list_unused(self) -> Sequence[UnusedLimit]:
        """Return the live documents of policies that the code no longer declares."""
        return [
            UnusedLimit(name=it.policy, version=it.version, fault=it.fault)
            for it in self._live.list_unused()
        ]

    def list_names(self) -> Sequence[str]:
        """Return the names of all policies."""
        return [view.name for view in self._live.list()]

    def get(self, name: str) -> Limit:
        """Return one policy."""
        return describe_limit(self.find(name))

    def find(self, name: str) -> PolicyView:
        """Return one policy as it is in this process."""
        with translate_errors():
            return self._live.get(name)

    def propose(self, view: PolicyView, proposal: Proposal) -> LiveDocument:
        """Return the live document that a PUT with the same fields would put in force."""
        change = DocumentChange(view.declared, view.document, self._keys)
        with translate_errors(change.shown_keys):
            return change.replace(proposal)

    async def replace(
        self, name: str, proposal: LimitChange, *, version: int, author: Author
    ) -> Limit:
        """Replace the live document that has this version; its overrides stay unless given."""
        change = self._begin(name, version)
        with translate_errors(change.shown_keys):
            document = await asyncio.to_thread(change.replace, proposal)
            view = await self._live.change(name, document, if_version=version, author=author)
        return describe_limit(view)

    async def patch(
        self, name: str, proposal: LimitChange, *, version: int, author: Author
    ) -> Limit:
        """Merge the fields that are given into the live document that has this version."""
        change = self._begin(name, version)
        with translate_errors(change.shown_keys):
            document = await asyncio.to_thread(change.patch, proposal)
            view = await self._live.change(name, document, if_version=version, author=author)
        return describe_limit(view)

    async def roll_back(self, name: str, to: int, *, version: int, author: Author) -> Limit:
        """Put the document of an earlier version in force, as a new version."""
        with translate_errors():
            view = await self._live.rollback(name, to, if_version=version, author=author)
        return describe_limit(view)

    async def read_history(
        self, name: str, *, limit: int, before: int | None
    ) -> Sequence[HistoryEntry]:
        """Return the changes before the entry `before` of the journal, the latest first."""
        with translate_errors():
            return await self._live.history(name, limit=limit, before=before)

    def _begin(self, name: str, version: int) -> DocumentChange:
        """Begin a change of the document that has this version."""
        view = self.find(name)
        if view.version != version:
            raise _describe_conflict(view.version)
        return DocumentChange(view.declared, view.document, self._keys)


@contextmanager
def translate_errors(shown_keys: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn the errors of live limits into those of the ops API.

    `shown_keys` has the keys as the operator wrote them, by the keys that the counts have.
    """
    try:
        yield
    except UnknownPolicy as error:
        text = str(error)  # which may end with a question
        raise UnknownLimit(text if text.endswith("?") else f"{text}.") from error
    except VersionConflict as conflict:
        raise _describe_conflict(conflict.current) from conflict
    except InvalidDocument as invalid:
        raise InvalidChange(list(_list_fields(invalid, shown_keys or {}))) from invalid
    except UnknownVersion as error:
        raise InvalidChange([InvalidField("version", str(error))]) from error
    except NoDatabase as error:
        raise ChangesUnavailable(f"Limits cannot be changed: {error}.") from error
    except DatabaseUnavailable as error:
        reason = f": {error.explanation}" if error.explanation else ""
        raise ChangesUnavailable(f"Limits cannot be changed now{reason}.") from error


def _describe_conflict(current: int) -> PreconditionFailed:
    return PreconditionFailed(
        f"The policy has been changed meanwhile: it is at version {current}. Read it again, and "
        "decide whether your change still holds.",
        current_version=current,
    )


def _list_fields(invalid: InvalidDocument, shown_keys: Mapping[str, str]) -> Iterator[InvalidField]:
    for error in invalid.errors:
        steps = [shown_keys.get(step, step) for step in parse_path(error.path)]
        yield InvalidField(
            ".".join(steps), f"{error.message} ({error.hint})" if error.hint else error.message
        )
