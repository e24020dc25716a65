"""How often may they: rate limits, counted in Redis or in this process."""
