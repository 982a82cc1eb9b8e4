"""The 2400's arm and trigger layers: how a measurement is started and of how many steps it is."""

from simulators.instruments.keithley_2400.settings import MEMORY, Settings, TriggerSettings
from simulators.instruments.source_measure.run import Run, Step
from simulators.instruments.source_measure.unit import LINE_HZ
from simulators.scpi import Choice, Integer, Number, Rest, ScpiError, ScpiInstrument, command, query

AUTO_DELAY_S = 1e-3
_ARM_SOURCES = ("IMMediate", "TLINk", "TIMer", "MANual", "BUS", "NSTest", "PSTest", "BSTest")
_EVENTS = ("SOURce", "DELay", "SENSe", "NONE")
_ARM_EVENTS = ("TENTer", "TEXit", "NONE")


class TriggerCommands(ScpiInstrument):
    """See the module. Triggers from cables (TLINk and the like) are accepted and never come."""

    settings: Settings
    run: Run | None
    tick: float

    @property
    def aperture_s(self) -> float:
        """How long one step integrates, repeated readings of the filter included."""
        settings = self.settings
        repeats = settings.filter_count if settings.filter_on and not settings.filter_moves else 1
        return self.tick * repeats * settings.line_cycles / LINE_HZ

    def steps(self) -> list[Step]:
        """The steps of a measurement as it is set up now; an automatic zero takes as long as a reading."""
        settings, trigger = self.settings, self.settings.trigger
        if trigger.arm_count * trigger.count > MEMORY:
            raise ScpiError(-221)
        delay_s = self.tick * (AUTO_DELAY_S if settings.auto_delay else settings.delay_s)
        delay_s += self.tick * trigger.delay_s
        aperture_s = self.aperture_s
        plain = Step(delay_s, aperture_s, aperture_s if settings.autozero else 0.0)
        waits = trigger.arm_source not in ("IMM", "TIM")
        first = Step(plain.delay_s, plain.aperture_s, plain.zero_s, waits or trigger.source != "IMM")
        others = Step(plain.delay_s, plain.aperture_s, plain.zero_s, trigger.source != "IMM")
        arm = [first, *[others] * (trigger.count - 1)]
        if trigger.arm_source == "TIM":
            rest_s = self.tick * trigger.arm_timer_s - plain.length_s * trigger.count
            last = arm[-1]
            arm[-1] = Step(last.delay_s, last.aperture_s, last.zero_s + max(rest_s, 0.0), last.waits)
        return arm * trigger.arm_count

    def on_trigger(self) -> None:
        """*TRG: taken by an arm layer that waits for the bus."""
        taken = self.settings.trigger.arm_source == "BUS" and self.run is not None and self.run.trigger()
        if not taken:
            raise ScpiError(-211)

    @command("ABORt")
    def abort(self) -> None:
        """End the measurement; readings taken stay."""
        if self.run is not None:
            self.run.abort()

    @command("ARM[:SEQuence][:LAYer]:COUNt", Integer(1, MEMORY, 1))
    def set_arm_count(self, count: int) -> None:
        """How often the trigger layer is run through."""
        self.settings.trigger.arm_count = count

    @query("ARM[:SEQuence][:LAYer]:COUNt")
    def arm_count(self) -> int:
        """How often the trigger layer is run through."""
        return self.settings.trigger.arm_count

    @command("ARM[:SEQuence][:LAYer]:SOURce", Choice(*_ARM_SOURCES))
    def set_arm_source(self, source: str) -> None:
        """What starts the trigger layer."""
        self.settings.trigger.arm_source = source

    @query("ARM[:SEQuence][:LAYer]:SOURce")
    def arm_source(self) -> str:
        """What starts the trigger layer."""
        return self.settings.trigger.arm_source

    @command("ARM[:SEQuence][:LAYer]:TIMer", Number("S", 1e-3, 99999.99, 0.1))
    def set_arm_timer(self, seconds: float) -> None:
        """From one run of the trigger layer to the next, with the timer as the source."""
        self.settings.trigger.arm_timer_s = seconds

    @query("ARM[:SEQuence][:LAYer]:TIMer")
    def arm_timer(self) -> float:
        """From one run of the trigger layer to the next."""
        return self.settings.trigger.arm_timer_s

    @command("ARM[:SEQuence][:LAYer]:DIRection", Choice("ACCeptor", "SOURce"))
    @command("TRIGger[:SEQuence][:LAYer]:DIRection", Choice("ACCeptor", "SOURce"))
    def set_bypass(self, direction: str) -> None:
        """Whether the first wait is skipped; without cables there is none."""

    @command("ARM[:SEQuence][:LAYer]:ILINe", Integer(1, 4, 1))
    @command("ARM[:SEQuence][:LAYer]:OLINe", Integer(1, 4, 2))
    @command("TRIGger[:SEQuence][:LAYer]:ILINe", Integer(1, 4, 1))
    @command("TRIGger[:SEQuence][:LAYer]:OLINe", Integer(1, 4, 2))
    def set_line(self, line: int) -> None:
        """Which line of the trigger link is meant; nothing is plugged in there."""

    @command("ARM[:SEQuence][:LAYer]:OUTPut", Rest(Choice(*_ARM_EVENTS), least=1))
    @command("TRIGger[:SEQuence][:LAYer]:OUTPut", Rest(Choice(*_EVENTS), least=1))
    @command("TRIGger[:SEQuence][:LAYer]:INPut", Rest(Choice(*_EVENTS), least=1))
    def set_events(self, events: tuple[str, ...]) -> None:
        """What is told to, or awaited from, the trigger link; nothing is plugged in there."""

    @command("TRIGger[:SEQuence][:LAYer]:COUNt", Integer(1, MEMORY, 1))
    def set_trigger_count(self, count: int) -> None:
        """Steps of the trigger layer."""
        self.settings.trigger.count = count

    @query("TRIGger[:SEQuence][:LAYer]:COUNt")
    def trigger_count(self) -> int:
        """Steps of the trigger layer."""
        return self.settings.trigger.count

    @command("TRIGger[:SEQuence][:LAYer]:SOURce", Choice("IMMediate", "TLINk"))
    def set_trigger_source(self, source: str) -> None:
        """What starts a step."""
        self.settings.trigger.source = source

    @query("TRIGger[:SEQuence][:LAYer]:SOURce")
    def trigger_source(self) -> str:
        """What starts a step."""
        return self.settings.trigger.source

    @command("TRIGger[:SEQuence][:LAYer]:DELay", Number("S", 0.0, 999.9999, 0.0))
    def set_trigger_delay(self, seconds: float) -> None:
        """From a step's start to its source-delay-measure cycle."""
        self.settings.trigger.delay_s = seconds

    @query("TRIGger[:SEQuence][:LAYer]:DELay")
    def trigger_delay(self) -> float:
        """From a step's start to its source-delay-measure cycle."""
        return self.settings.trigger.delay_s

    @command("TRIGger:CLEar")
    def clear_triggers(self) -> None:
        """Forget triggers that have come too early; none are remembered here."""

    def trigger_defaults(self) -> None:
        """One step, at once."""
        self.settings.trigger = TriggerSettings()
