"""The base URL of a service: an origin and a path prefix."""

from typing import NamedTuple, Self

import httpx

from gateway.transport.origin import Origin


class BaseUrl(NamedTuple):
    """A parsed base URL; `host` is the value of the Host field."""

    origin: Origin
    host: str
    path: str
    url: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse `text` and drop trailing slashes.

        Raises:
            ValueError: `text` is not a URL of scheme, host, port and path only.
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
