"""What all declarations of a company's package share: `Proxy` of `routes.py`, `MayExchange` of
`access.py`. Each records its mistakes with its file and line, and is in the list of its module.
"""
