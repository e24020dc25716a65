"""What differs between environments: settings and rate-limit policies. Does no work."""
