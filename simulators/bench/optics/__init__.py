"""The optical side of a bench: a photonic chip between its sources and its detectors."""
