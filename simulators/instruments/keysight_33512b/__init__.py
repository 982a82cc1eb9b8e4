"""An emulated Keysight 33512B."""
