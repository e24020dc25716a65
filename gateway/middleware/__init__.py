"""ASGI middleware, one concern each; `gateway/app.py` lists them in order."""
