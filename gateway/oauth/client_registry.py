"""`ClientRegistry`: the OAuth clients in memory, which need no call of the database."""

from sqlalchemy import Connection

from gateway.errors.tree import DatabaseUnavailable
from gateway.oauth.client import OAuthClient
from gateway.oauth.client_table import list_clients
from gateway.storage.change_feed import Changes


class ClientRegistry:
    """A replica of the clients, without those that were removed."""

    def __init__(self) -> None:
        self._clients: dict[str, OAuthClient] = {}
        self._is_loaded = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._clients)} clients loaded={self._is_loaded}>"

    def load(self, connection: Connection, after: int) -> Changes[OAuthClient]:
        """Load the clients that have changed. Runs in a thread."""
        return Changes(list_clients(connection, after), is_complete=after == 0)

    def apply(self, loaded: Changes[OAuthClient]) -> None:
        """Put the changes in force."""
        if loaded.is_complete:
            self._clients.clear()
        for client in loaded.rows:
            if client.is_removed:
                self._clients.pop(client.id, None)
            else:
                self._clients[client.id] = client
        self._is_loaded = True

    def find(self, client_id: str) -> OAuthClient | None:
        """Return a client; None if there is none with this id.

        Raises:
            DatabaseUnavailable: the clients have not been read yet.
        """
        if not self._is_loaded:
            raise DatabaseUnavailable.before_first_read("the clients")
        return self._clients.get(client_id)
