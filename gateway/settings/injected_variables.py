"""Tells the variables that Kubernetes and Docker inject from those that set something.

For each Service of a namespace, Kubernetes sets variables in every pod (the service links), and
the links of old Docker do the same for containers. Those of a Service whose name begins with
`lockgate` have our prefix: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
"""

import re
from collections.abc import Mapping

_URL = re.compile(r"(?:tcp|udp|sctp)://\S+", re.IGNORECASE)
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]*[.:][0-9A-Fa-f.:]*")
_NUMBER = re.compile(r"\d{1,5}")
_PROTOCOL = re.compile(r"tcp|udp|sctp", re.IGNORECASE)

# The name of an injected variable -> the form of its value. Both must match: a misspelt setting
# may have such a name, as LOCKGATE_SERVER_PORT=8080.
_FORMS = (
    (re.compile(r".*[A-Z0-9]_SERVICE_HOST"), _ADDRESS),
    (re.compile(r".*[A-Z0-9]_SERVICE_PORT(?:_[A-Z0-9_]+)?"), _NUMBER),
    (re.compile(r".*[A-Z0-9]_PORT(?:_\d+_(?:TCP|UDP|SCTP))?"), _URL),
    (re.compile(r".*[A-Z0-9]_PORT_\d+_(?:TCP|UDP|SCTP)_ADDR"), _ADDRESS),
    (re.compile(r".*[A-Z0-9]_PORT_\d+_(?:TCP|UDP|SCTP)_PORT"), _NUMBER),
    (re.compile(r".*[A-Z0-9]_PORT_\d+_(?:TCP|UDP|SCTP)_PROTO"), _PROTOCOL),
)
_LINK_NAME = re.compile(r"(?:/[A-Za-z0-9][A-Za-z0-9_.-]*){2}")


def is_injected(name: str, environ: Mapping[str, str]) -> bool:
    """Whether the name and the value of a variable are those of a Service or a linked container."""
    text = environ[name].strip()
    is_of_service = any(
        pattern.fullmatch(name) and form.fullmatch(text) for pattern, form in _FORMS
    )
    return is_of_service or _is_docker_link(name, environ)


def _is_docker_link(name: str, environ: Mapping[str, str]) -> bool:
    """Whether Docker sets it for a link: ALIAS_NAME is /container/alias, ALIAS_ENV_* are copies."""
    alias, _, _ = name.partition("_ENV_")
    names = [link for link in (name, f"{alias}_NAME") if link.endswith("_NAME")]
    return any(_LINK_NAME.fullmatch(environ.get(link, "").strip()) for link in names)
