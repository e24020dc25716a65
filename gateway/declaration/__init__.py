"""The base of all declarations of a company's package: `Proxy` in `routes.py`, `MayExchange` in
`access.py`. Each records its mistakes with its file and line, and is in the list of its module.
"""
