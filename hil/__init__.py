"""The application: bench and experiment files, the run store, sessions, the command line, reports."""
