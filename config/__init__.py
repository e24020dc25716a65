"""The shop's declarations: rate-limit policies, settings and deployment files."""
