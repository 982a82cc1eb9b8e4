"""An emulated Thorlabs PM100D."""
