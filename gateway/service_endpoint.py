"""`ServiceEndpoint`: marks the endpoints that serve one service, as those of proxied routes do."""


class ServiceEndpoint:
    """An endpoint all of whose requests go to `service`, and to no other."""

    service: str
