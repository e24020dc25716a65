"""The ops app: limits that operators tune while traffic runs, on a port of their own."""
