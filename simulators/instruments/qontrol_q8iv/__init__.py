"""An emulated chain of Qontrol Q8iv units."""
