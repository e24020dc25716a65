"""ASGI middleware, one concern in each file; `gateway/app.py` lists them in order."""
