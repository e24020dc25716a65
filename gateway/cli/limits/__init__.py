"""`lockgate limits`: reads and changes the limits in force, as a client of the ops API.

`actions.py` has the arguments of all actions. The module of an action, of its name, is imported
when it runs: the help and the completion do not need the HTTP client.
"""

from gateway.cli.limits.actions import add_to

__all__ = ["add_to"]
