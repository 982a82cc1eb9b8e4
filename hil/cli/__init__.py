"""The command line: human text on stderr, `--json` on stdout, the exit codes of `hil.cli.exit_codes`."""
