"""Tasks, the search for control voltages that do them, and the verdict of the chip."""
