"""The functions behind the command line; import them from `hil` itself."""
