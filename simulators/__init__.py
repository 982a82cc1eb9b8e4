"""Emulated chips, instruments and benches, and the PyVISA backend to them."""
