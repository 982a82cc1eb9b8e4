"""The GS200's commands for its program."""

from simulators.instruments.yokogawa_gs200.program import LONGEST
from simulators.instruments.yokogawa_gs200.source_scpi import SourceCommands
from simulators.scpi import Boolean, Choice, Integer, Number, ScpiError, Text, command, query, quoted

_TICK_S = 0.1
"""The program's clock."""
_LONGEST_S = 3600.0


class ProgramCommands(SourceCommands):
    """See the module."""

    @command("PROGram:EDIT:STARt")
    def start_edit(self) -> None:
        """Begin a new program: what is sourced from now on becomes its steps."""
        self.program.edit()

    @command("PROGram:EDIT:END")
    def end_edit(self) -> None:
        """The program is complete."""
        self.program.end_edit()

    @command("PROGram:RUN")
    def run_program(self) -> None:
        """Play the program."""
        self.program.run()

    @command("PROGram:STEP")
    def step_program(self) -> None:
        """Play the next step only."""
        self.program.play_one()

    @command("PROGram:HOLD")
    def hold_program(self) -> None:
        """Pause, or go on after a pause."""
        if self.program.paused:
            self.program.go_on()
        else:
            self.program.pause()

    @command("PROGram:PAUSe")
    def pause_program(self) -> None:
        """Stay where the output is."""
        self.program.pause()

    @command("PROGram:CONTinue")
    def continue_program(self) -> None:
        """Go on after a pause."""
        self.program.go_on()

    @command("PROGram:COUNt", Integer(1, LONGEST, 1))
    def set_program_count(self, count: int) -> None:
        """Which step PROGram:STEP plays next."""
        self.resting()
        self.program.count = count

    @query("PROGram:COUNt")
    def program_count(self) -> int:
        """Which step is played, or would be."""
        return self.program.count

    @command("PROGram:INTerval", Number("S", _TICK_S, _LONGEST_S, 1.0))
    def set_program_interval(self, seconds: float) -> None:
        """From step to step."""
        self.program.interval_s = round(seconds / _TICK_S) * _TICK_S

    @query("PROGram:INTerval")
    def program_interval(self) -> str:
        """From step to step."""
        return f"{self.program.interval_s:.1f}"

    @command("PROGram:SLOPe", Number("S", 0.0, _LONGEST_S, 0.0))
    def set_program_slope(self, seconds: float) -> None:
        """How long the way to a step's level takes."""
        self.program.slope_s = round(seconds / _TICK_S) * _TICK_S

    @query("PROGram:SLOPe")
    def program_slope(self) -> str:
        """How long the way to a step's level takes."""
        return f"{self.program.slope_s:.1f}"

    @command("PROGram:REPeat", Boolean())
    def set_program_repeat(self, on: bool) -> None:
        """Whether the program begins again after its last step."""
        self.program.repeats = on

    @query("PROGram:REPeat")
    def program_repeat(self) -> bool:
        """Whether the program begins again after its last step."""
        return self.program.repeats

    @command("PROGram:TRIGger", Choice("NORMal", "MEND"))
    def set_program_trigger(self, name: str) -> None:
        """Whether steps follow the interval, or the ends of measurements."""
        self.program.follows_measurements = name == "MEND"

    @query("PROGram:TRIGger")
    def program_trigger(self) -> str:
        """Whether steps follow the interval, or the ends of measurements."""
        return "MEND" if self.program.follows_measurements else "NORM"

    @command("PROGram:SAVE", Text(longest=64))
    def save_program(self, name: str) -> None:
        """Keep the program in a file."""
        self.program.save(name)

    @command("PROGram:LOAD", Text(longest=64))
    def load_program(self, name: str) -> None:
        """Take a program from a file."""
        self.program.load(name)

    @query("PROGram:LOAD")
    def loaded_program(self) -> str:
        """The file that the program is from."""
        return quoted(self.program.loaded)

    @command("PROGram:DELete", Text(longest=64))
    def delete_program(self, name: str) -> None:
        """Remove a file."""
        if self.program.files.pop(name, None) is None:
            raise ScpiError(-256, name)

    @query("PROGram:CATalog")
    def program_files(self) -> str:
        """The names of the files."""
        return ",".join(map(quoted, self.program.files)) or quoted("")
