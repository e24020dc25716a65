"""Fake services with dials and a development identity provider, for running and testing a gateway.

A company's package has its fakes in `fakes/`: one file per service, named as the service, with an
ASGI application called `app`. They are not for production.
"""
