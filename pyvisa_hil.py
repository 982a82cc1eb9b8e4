"""The PyVISA backend `hil`, which PyVISA finds by this name: `ResourceManager("bench.yaml@hil")`."""

from simulators.visa.backend import HilBackend

WRAPPER_CLASS = HilBackend
