"""An emulated Rohde & Schwarz RTO1024."""
