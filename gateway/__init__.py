"""The gateway: who is calling, how often may they, and one answer from many services."""
