"""The errors of the gateway, and how they are sent to clients."""
