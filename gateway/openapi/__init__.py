"""The OpenAPI document: FastAPI's, with the problems and header fields that each route sends."""
