"""Tickets: single-use credentials for requests that a browser sends without `Authorization`."""
