"""The PyVISA backend `hil`: PyVISA finds it by this module's name."""
