"""The header fields of proxied requests and responses: which pass, and which the gateway sets."""
