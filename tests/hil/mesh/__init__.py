"""The session of a photonic mesh."""
