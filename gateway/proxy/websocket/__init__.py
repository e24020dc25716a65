"""WebSockets of proxied routes: the handshakes with caller and service, then a tunnel of bytes."""
