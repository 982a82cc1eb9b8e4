"""The session of a photonic mesh: its calibration stage by stage, the records of it, deployment."""
