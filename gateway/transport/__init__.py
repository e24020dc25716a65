"""The HTTP/1.1 transport: keep-alive connection pools for many short calls, for httpx too."""
