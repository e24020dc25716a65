"""Forward-auth: decides about requests that nginx, Traefik, Caddy or Envoy serves."""
