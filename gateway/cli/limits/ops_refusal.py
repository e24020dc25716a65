"""Refusals of the ops app as messages for people: the fault, and the remedy."""

from collections.abc import Mapping
from typing import Any

from gateway.cli.limits.exit_status import ExitStatus
from gateway.settings.client_variables import OPS_TOKEN_VARIABLE
from gateway.settings.errors import escape
from gateway.startup_error import StartupError

_MAX_TEXT_LENGTH = 2_000


class OpsClientError(StartupError):
    """The ops app cannot be reached, or does not do what it was asked to."""

    def __init__(self, *messages: str) -> None:
        super().__init__("\n".join(messages))
        # Texts of a server may have characters that a terminal interprets.
        self.messages = [escape(it[:_MAX_TEXT_LENGTH]) for it in messages]

    def list_messages(self) -> list[str]:
        """Return the lines to print."""
        return self.messages


class OpsUnreachable(OpsClientError):
    """There is no response, or none of an ops app."""


class OpsRefusal(OpsClientError):
    """The ops app has responded with an error; `status` is that of the response."""

    def __init__(self, status: int, *messages: str) -> None:
        super().__init__(*messages)
        self.status = status


class NoSimulation(OpsRefusal):
    """The recorded requests do not say what a change would do (409)."""


class StaleVersion(OpsRefusal):
    """The policy is not at the version that the change is based on (412)."""

    exit_status = ExitStatus.CONFLICT


class InvalidArguments(OpsRefusal):
    """A value is none that the policy can have (422)."""

    exit_status = 2


_KINDS = {409: NoSimulation, 412: StaleVersion, 422: InvalidArguments}
_NO_OPS_APP = (
    "this is no ops app: it has no such path (404); is it the public port, or has the URL a path?"
)
_HINTS = {
    412: "412: nothing is changed",
    421: "421: add the host of the URL to `ops.hosts` of the ops app",
    428: "this command sends If-Match: does a proxy in between remove it?",
}


def create_refusal(
    status: int, problem: Mapping[str, Any], *, token_source: str | None
) -> OpsRefusal:
    """Create the error for a problem document (RFC 9457); `token_source` names the token sent."""
    detail = str(problem.get("detail") or problem.get("title") or f"status {status}")
    kind = _KINDS.get(status, OpsRefusal)
    match status:
        case 401:
            messages = [_describe_unauthenticated(token_source)]
        case 403:
            messages = [_describe_forbidden(problem, detail)]
        case 404 if problem.get("detail") in {None, "Not Found"}:
            messages = [_NO_OPS_APP]
        case 409:
            messages = [detail]
        case 422:
            messages = _list_fields(problem, detail)
        case _:
            messages = [f"{detail} ({_HINTS.get(status, f'status {status}')})"]
    return kind(status, *messages)


def _describe_unauthenticated(token_source: str | None) -> str:
    if token_source is None:
        return (
            f"the ops app needs a token: set {OPS_TOKEN_VARIABLE}, or pipe one with `--token -`; "
            "it must be issued for the audience `ops.audience`"
        )
    return (
        f"the ops app does not accept the token of {token_source} (401): it must be valid "
        "now, of an issuer in `issuers`, and issued for the audience `ops.audience`; the log of "
        "the ops app has the reason"
    )


def _describe_forbidden(problem: Mapping[str, Any], detail: str) -> str:
    scopes = problem.get("required-scopes")
    if not isinstance(scopes, list) or not scopes:
        return f"{detail} (403)"
    names = " ".join(map(str, scopes))
    return f"the token lacks a scope (403): this needs {names}; get a token that has it"


def _list_fields(problem: Mapping[str, Any], detail: str) -> list[str]:
    """Return a message for each field that is not valid."""
    errors = problem.get("errors")
    if not isinstance(errors, list):
        return [detail]
    found = [
        f"{error.get('field')}: {error.get('message')}"
        for error in errors
        if isinstance(error, dict)
    ]
    return found or [detail]
