"""The PyVISA library whose resources are emulated instruments."""

from simulators.visa.library import HilVisaLibrary, power_off, powered

__all__ = ["HilVisaLibrary", "power_off", "powered"]
