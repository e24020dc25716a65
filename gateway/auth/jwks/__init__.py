"""JSON Web Key Sets: fetching, parsing and refreshing the keys of issuers."""
