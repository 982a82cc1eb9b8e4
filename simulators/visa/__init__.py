"""The PyVISA library whose resources are emulated instruments."""
