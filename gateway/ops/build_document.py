"""Builds the live document that an operator asks for, from the one that there is."""

from collections.abc import Mapping
from typing import Any

from gateway.ops.caller_keys import CallerKeys, FoundKey, InvalidCaller
from gateway.ops.models import OverrideChange, Proposal
from gateway.ops.ops_errors import InvalidChange, InvalidField
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.ratelimit.policy import Policy

_Json = dict[str, Any]

_NOT_VALUES = {"reason", "overrides"}


class DocumentChange:
    """The change of one policy; `current` is its live document, if it has one.

    `shown_keys` maps each key as the counts have it to the key as the operator wrote it.
    """

    def __init__(self, policy: Policy, current: LiveDocument | None, keys: CallerKeys) -> None:
        self._policy = policy
        self._current: _Json = {} if current is None else current.to_json()
        self._keys = keys
        self.shown_keys: dict[str, str] = {}

    def replace(self, proposal: Proposal) -> LiveDocument:
        """Return a document with the fields of the proposal alone; overrides stay unless given.

        Raises:
            InvalidDocument: a field is not valid.
            InvalidChange: a key fits no caller of the policy.
        """
        fields = self._list_values(proposal)
        overrides = self._current.get("overrides", {})
        if proposal.overrides is not None:
            overrides = self._merge_overrides({}, proposal.overrides)
        return LiveDocument.parse({**_drop_nulls(fields), "overrides": overrides})

    def patch(self, proposal: Proposal) -> LiveDocument:
        """Return the current document with the fields of the proposal merged in.

        Raises: as `replace`.
        """
        fields = {**self._current, **self._list_values(proposal)}
        if proposal.tiers is not None:
            fields["tiers"] = {**self._current.get("tiers", {}), **proposal.tiers}
        overrides = self._current.get("overrides", {})
        if "overrides" in proposal.model_fields_set:
            overrides = self._merge_overrides(overrides, proposal.overrides)
        return LiveDocument.parse({**_drop_nulls(fields), "overrides": overrides})

    @staticmethod
    def _list_values(proposal: Proposal) -> _Json:
        return proposal.model_dump(exclude_unset=True, exclude=_NOT_VALUES)

    def _merge_overrides(
        self, present: Mapping[str, Any], given: Mapping[str, OverrideChange | None] | None
    ) -> _Json:
        """Return the overrides by the keys that the counts have; null in place of all drops all."""
        if given is None:
            return {}
        merged = dict(present)
        for key, override in given.items():
            found = self._find_key(key, None if override is None else override.issuer)
            if found.partition in self.shown_keys:
                other = self.shown_keys[found.partition]
                message = f"is the same caller as {other}; give it once"
                raise InvalidChange([InvalidField(f"overrides.{key}", message)])
            self.shown_keys[found.partition] = key
            merged.pop(found.partition, None)
            if override is not None:
                fields = override.model_dump(exclude_unset=True, exclude={"issuer"})
                fields["caller"] = self._find_caller(found, override.caller, key)
                merged[found.partition] = _drop_nulls(fields)
        return merged

    def _find_key(self, key: str, issuer: str | None) -> FoundKey:
        try:
            return self._keys.find(self._policy, key, issuer)
        except InvalidCaller as error:
            field = f"overrides.{key}" + (".issuer" if error.part == "issuer" else "")
            raise InvalidChange([InvalidField(field, str(error))]) from error

    def _find_caller(self, found: FoundKey, given: str | None, key: str) -> str | None:
        """Return the caller to show for a key: a name that is not of the key is refused."""
        present = self._current.get("overrides", {}).get(found.partition, {}).get("caller")
        if given is None or given in (present, found.caller):
            return found.caller or present
        if self._keys.is_caller_of(self._policy, found.partition, given):
            return given
        message = "is not the caller of this key; leave it out"
        raise InvalidChange([InvalidField(f"overrides.{key}.caller", message)])


def _drop_nulls(fields: Mapping[str, Any]) -> _Json:
    """Return the fields without those that are null, and the same for the tiers."""
    kept = {name: value for name, value in fields.items() if value is not None}
    if "tiers" in kept:
        tiers = {name: value for name, value in kept["tiers"].items() if value is not None}
        kept["tiers"] = tiers
        if not tiers:
            del kept["tiers"]
    return kept
