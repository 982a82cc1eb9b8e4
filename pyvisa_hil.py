"""The PyVISA backend `hil`, which PyVISA finds by this name: `ResourceManager("bench.yaml@hil")`."""

from simulators.visa import HilVisaLibrary

WRAPPER_CLASS = HilVisaLibrary
