"""An emulated Yokogawa GS200."""
