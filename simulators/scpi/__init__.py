"""The SCPI engine of the emulated instruments."""
