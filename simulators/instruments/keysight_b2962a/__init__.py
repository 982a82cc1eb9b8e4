"""An emulated Keysight B2962A."""
