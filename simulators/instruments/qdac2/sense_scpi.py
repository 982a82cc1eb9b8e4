"""The QDAC-II's commands for its current sensors."""

from simulators.instruments.qdac2.generators_scpi import (
    TRIGGER_SOURCE,
    GeneratorCommands,
    check_line,
    count_reply,
    cycles,
)
from simulators.instruments.qdac2.sensor import LINE_HZ, CurrentSensor
from simulators.scpi import Boolean, Choice, Integer, Later, Number, ScpiError, command, query


class SenseCommands(GeneratorCommands):
    """See the module."""

    def sensor(self, number: int) -> CurrentSensor:
        """One channel's sensor, from 1."""
        raise NotImplementedError

    @command("SENSe#:RANGe", Choice("LOW", "HIGH"))
    def set_sense_range(self, channel: int, name: str) -> None:
        """200 nA or 10 mA."""
        self.sensor(channel).range = name

    @query("SENSe#:RANGe")
    def sense_range(self, channel: int) -> str:
        """200 nA or 10 mA."""
        return self.sensor(channel).range.lower()

    @command("SENSe#:APERture", Number("S", 3e-4, 1.0, 1.0 / LINE_HZ))
    def set_aperture(self, channel: int, seconds: float) -> None:
        """Integration time."""
        self.sensor(channel).aperture_s = seconds

    @query("SENSe#:APERture")
    def aperture(self, channel: int) -> float:
        """Integration time."""
        return self.sensor(channel).aperture_s

    @command("SENSe#:NPLCycles", Integer(1, 50, 1))
    def set_line_cycles(self, channel: int, count: int) -> None:
        """Integration time in power-line cycles."""
        self.sensor(channel).aperture_s = count / LINE_HZ

    @query("SENSe#:NPLCycles")
    def line_cycles(self, channel: int) -> int:
        """Integration time in power-line cycles."""
        return self.sensor(channel).line_cycles

    @command("SENSe#:DELay", Number("S", 0.0, 3600.0, 0.0))
    def set_sense_delay(self, channel: int, seconds: float) -> None:
        """Time from the trigger to the first reading."""
        self.sensor(channel).start.delay_s = seconds

    @query("SENSe#:DELay")
    def sense_delay(self, channel: int) -> float:
        """Time from the trigger to the first reading."""
        return self.sensor(channel).start.delay_s

    @command("SENSe#:COUNt", Integer(-1, 100_000, 1, infinity=True))
    def set_sense_count(self, channel: int, count: float) -> None:
        """Readings per trigger."""
        self.sensor(channel).count = cycles(count)

    @query("SENSe#:COUNt")
    def sense_count(self, channel: int) -> int:
        """Readings per trigger."""
        return count_reply(self.sensor(channel).count)

    @query("SENSe#:NCLeft")
    def readings_left(self, channel: int) -> int:
        """Readings still to be taken."""
        return self.sensor(channel).cycles_left

    @command("SENSe#:TRIGger:SOURce", TRIGGER_SOURCE)
    def set_sense_source(self, channel: int, source: str) -> None:
        """What starts a measurement."""
        self.sensor(channel).start.source = check_line(source)

    @query("SENSe#:TRIGger:SOURce")
    def sense_source(self, channel: int) -> str:
        """What starts a measurement."""
        return self.sensor(channel).start.source.lower()

    @command("SENSe#:INITiate[:IMMediate]")
    def initiate_sense(self, channel: int) -> None:
        """Start, or wait for the trigger."""
        self.sensor(channel).start.initiate()

    @command("SENSe#:INITiate:CONTinuous", Boolean())
    def set_sense_continuous(self, channel: int, on: bool) -> None:
        """Wait for the trigger again and again."""
        self.sensor(channel).start.set_continuous(on)

    @query("SENSe#:INITiate:CONTinuous")
    def sense_continuous(self, channel: int) -> bool:
        """Whether it waits again and again."""
        return self.sensor(channel).start.continuous

    @command("SENSe#:ABORt")
    def abort_sense(self, channel: int) -> None:
        """Stop measuring."""
        self.sensor(channel).abort()

    @query("SENSe#:DATA:POINts")
    def readings_there(self, channel: int) -> int:
        """How many readings are kept."""
        return len(self.sensor(channel).readings)

    @query("SENSe#:DATA:LAST")
    def last_reading(self, channel: int) -> float:
        """The newest reading."""
        return self.sensor(channel).last()

    @query("SENSe#:DATA:REMove")
    def take_readings(self, channel: int) -> list[float]:
        """All readings, which are forgotten."""
        return self._some(self.sensor(channel).take())

    @query("FETCh#")
    def fetch(self, channel: int) -> list[float]:
        """All readings, which are kept."""
        return self._some(list(self.sensor(channel).readings))

    @query("READ#")
    def read_now(self, channel: int) -> Later:
        """Take readings now and give them."""
        sensor = self.sensor(channel)
        if sensor.count == float("inf"):
            raise ScpiError(-221, "a measurement without end cannot be read")
        sensor.take()
        ready_at = sensor.measure()
        return Later(ready_at, lambda: sensor.readings[0] if len(sensor.readings) == 1 else sensor.readings)

    def _some(self, readings: list[float]) -> list[float]:
        if not readings:
            raise ScpiError(-230, "there are no readings")
        return readings
