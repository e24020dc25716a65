"""JSON Web Key Sets: fetching, reading and refreshing the keys of identity providers."""
