"""An emulated Keithley 2450."""
