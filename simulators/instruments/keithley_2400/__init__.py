"""An emulated Keithley 2400."""
