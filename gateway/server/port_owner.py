"""Finds the process that listens on a port, for an error message."""

from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_LISTEN = "0A"


def find_port_owner(port: int) -> str | None:
    """Return name and id of the process that listens on a TCP port, as "nginx (process 17)".

    None if it is unknown: the system has no /proc, or the process belongs to another user.
    """
    sockets = {f"socket:[{inode}]" for inode in _iter_listening_inodes(port)}
    for process in _PROC.glob("[0-9]*") if sockets else ():
        try:
            if any(str(link.readlink()) in sockets for link in (process / "fd").iterdir()):
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                return f"{name} (process {process.name})"
        except OSError:
            continue  # the process has ended, or belongs to another user
    return None


def _iter_listening_inodes(port: int) -> Iterator[str]:
    """Yield the inode of each socket that listens on the port (proc_net_tcp(5))."""
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
