"""What a connection meets before any route: bounds, a watch on the client, the server itself."""
