"""QCoDeS instruments: the chips and the safety envelope around them.

`dnpu` is a dopant network behind two bench instruments in the roles of `roles`; `qdac2_source` and
`keysight_digitizer` put stock QCoDeS drivers into those roles, and `qontrol` drives heater units that have
none. `outputs` is the one way to a voltage, and `envelope` says which voltages there may be.
"""
