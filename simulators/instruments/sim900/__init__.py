"""An emulated SRS SIM900 mainframe and its modules."""
