"""Fake services with dials, and a development identity provider, to run and test a gateway with.

A company's package has its fakes in `fakes/`: one file per service, named as the service, with an
ASGI application called `app`. They are not for production.
"""
