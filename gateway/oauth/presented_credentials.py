"""Reads how a client authenticates: by `Authorization: Basic`, in the form, or by an assertion.

RFC 6749, section 2.3.1, and RFC 7521, section 4.2. A client must not use two ways at once.
"""

import base64
import binascii
from dataclasses import dataclass, field

from starlette.requests import Request

from gateway.oauth.form import Form, decode_form_text
from gateway.oauth.oauth_errors import InvalidClient, InvalidRequest

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class SecretCredentials:
    """The id and the secret of a client: `client_secret_basic` or `client_secret_post`."""

    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AssertionCredentials:
    """A signed assertion (`private_key_jwt`), and the id beside it, if there is one."""

    assertion: str = field(repr=False)
    client_id: str | None


Credentials = SecretCredentials | AssertionCredentials


def read_credentials(request: Request, form: Form) -> Credentials:
    """Read the credentials of a client.

    Raises:
        InvalidClient: there are none, or they cannot be read.
        InvalidRequest: there are those of two ways, or of two clients.
    """
    fields = request.headers.getlist("authorization")
    in_form = [name for name in ("client_secret", "client_assertion") if form.get(name)]
    if len(fields) + len(in_form) > 1:
        raise InvalidRequest("The client authenticates in more than one way.")
    if fields:
        return _read_basic(fields[0], form.get("client_id"))
    if form.get("client_assertion") or form.get("client_assertion_type"):
        return _read_assertion(form)
    client_id, secret = form.get("client_id"), form.get("client_secret")
    if client_id is None or secret is None:
        raise InvalidClient("it sends no credentials")
    return SecretCredentials(client_id, secret)


def _read_basic(value: str, client_id: str | None) -> SecretCredentials:
    """Read `Authorization: Basic`, whose two parts are encoded as those of a form are."""
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient("the scheme of Authorization is not Basic")
    try:
        decoded = base64.b64decode(encoded.strip(" "), validate=True)
        name, separator, secret = decoded.partition(b":")
        credentials = SecretCredentials(decode_form_text(name), decode_form_text(secret))
    except (binascii.Error, ValueError):
        raise InvalidClient("the credentials of Basic cannot be decoded") from None
    if not separator or not credentials.client_id or not credentials.secret:
        raise InvalidClient("the credentials of Basic lack the id or the secret")
    if client_id not in (None, credentials.client_id):
        raise InvalidRequest("The parameter client_id is not that of Authorization.")
    return credentials


def _read_assertion(form: Form) -> AssertionCredentials:
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise InvalidRequest(f"The parameter client_assertion_type must be {ASSERTION_TYPE}.")
    return AssertionCredentials(form.require("client_assertion"), form.get("client_id"))
