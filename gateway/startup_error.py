"""The base class of the errors that keep the gateway from starting.

The command line prints them, and imports no module of theirs for it: a subcommand that needs only
the settings, or not even these, starts in a fraction of the time.
"""


class StartupError(Exception):
    """The gateway cannot start, or a subcommand cannot run. `exit_status` is that of the process.

    It is 1 for a failure, and 2 for invalid settings or an invalid package.
    """

    exit_status = 1

    def list_messages(self) -> list[str]:
        """Return the lines to print, one for each thing that is wrong."""
        return [str(self)]
