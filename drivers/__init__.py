"""QCoDeS instruments: the chips and the safety envelope around them.

`dnpu` is a dopant network behind two bench instruments in the roles of `roles`; `qdac2_source` and
`keysight_digitizer` put stock QCoDeS drivers into those roles, and `qontrol` drives heater units that have
none. `mesh` is a photonic mesh behind four: a laser (`santec_tsl570`), a source for its modulators, a supply for
its heaters, and power meters (`pm100d_array`, `card_photoreceivers`). `outputs` is the one way to a voltage,
`heaters` that to a heater's, and `envelope` says which voltages there may be.
"""
