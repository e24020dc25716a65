"""The errors that clients of the gateway can get, as exceptions and as responses."""
