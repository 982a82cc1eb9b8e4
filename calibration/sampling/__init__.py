"""What to drive, and how well it covers the input space."""
