"""An emulated bench: instruments wired to a chip."""
