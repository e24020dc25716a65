"""The peak of the resident memory of a process. Linux only."""

from pathlib import Path

_PROC = Path("/proc")


def reset_peak_memory(pid: int) -> None:
    """Let the peak of the resident memory begin at its present value."""
    (_PROC / str(pid) / "clear_refs").write_text("5")


def read_peak_memory(pid: int) -> float:
    """Read the peak of the resident memory since its reset, in MB."""
    status = (_PROC / str(pid) / "status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
