"""An emulated Keysight Infiniium DSO9104A."""
