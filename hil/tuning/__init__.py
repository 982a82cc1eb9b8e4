"""Tuning a chip in situ: `hil tune`."""
