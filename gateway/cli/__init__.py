"""The `lockgate` command, one file per subcommand."""
