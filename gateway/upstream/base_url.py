"""Where a service is: an origin, and the path that all its paths stand below."""

from typing import NamedTuple, Self

import httpx

from gateway.transport.origin import Origin


class BaseUrl(NamedTuple):
    """A service's URL, taken apart once; `host` is what the Host field says."""

    origin: Origin
    host: str
    path: str
    url: str

    @classmethod
    def of(cls, text: str) -> Self:
        """The address written as `text`, without a slash at its end.

        Raises:
            ValueError: it is more, or less, than scheme, host, port and path.
        """
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL as exc:
            raise ValueError("a service is at a URL") from exc
        extra = url.query or url.fragment or url.userinfo
        if url.scheme not in {"http", "https"} or not url.host or extra:
            raise ValueError("a service is at scheme, host, port and path, and nothing else")
        path = url.raw_path.decode("ascii").rstrip("/")
        return cls(Origin.from_url(url), url.netloc.decode("ascii"), path, str(url).rstrip("/"))
