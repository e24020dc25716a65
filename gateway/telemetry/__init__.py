"""What operators see of the gateway: structured log events."""
