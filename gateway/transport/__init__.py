"""The transport of HTTP/1.1 for many short calls, behind the interface of httpx."""
