"""The path of a proxied request on the service: what was matched is what is sent."""
