"""The base URL of a service: its origin, and the path that its paths are appended to."""

from typing import NamedTuple, Self

import httpx

from gateway.transport.origin import Origin


class BaseUrl(NamedTuple):
    """A base URL, parsed once; `host` is the value of the Host field."""

    origin: Origin
    host: str
    path: str
    url: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse `text`; a slash at its end is dropped.

        Raises:
            ValueError: it is not scheme, host, port and path, and nothing else.
        """
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL as exc:
            raise ValueError(
                "the address of a service is a URL such as http://orders.internal:8080"
            ) from exc
        extra = url.query or url.fragment or url.userinfo
        if url.scheme not in {"http", "https"} or not url.host or extra:
            raise ValueError(
                "the address of a service has a scheme (http or https), host, port and path only"
            )
        path = url.raw_path.decode("ascii").rstrip("/")
        return cls(Origin.from_url(url), url.netloc.decode("ascii"), path, str(url).rstrip("/"))
