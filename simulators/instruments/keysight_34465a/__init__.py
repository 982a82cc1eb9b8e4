"""An emulated Keysight 34465A."""
