"""Forward authentication: other gateways ask `/auth/verify` whether a request is allowed."""
