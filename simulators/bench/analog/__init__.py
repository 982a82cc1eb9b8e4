"""What stands between the sources and the meter: the chip's currents, resistors, the amplifier."""
