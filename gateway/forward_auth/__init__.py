"""Forward-auth: decides about requests that another gateway (nginx, Traefik, Caddy, Envoy) serves."""
