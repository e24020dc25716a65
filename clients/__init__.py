"""How to talk to the downstream services. Knows nothing of FastAPI, nor of the gateway."""
