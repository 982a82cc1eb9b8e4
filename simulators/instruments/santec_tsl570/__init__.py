"""An emulated Santec TSL-570."""
