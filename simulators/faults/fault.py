"""One fault as it is written down: what goes wrong, where, when and how often."""

from difflib import get_close_matches
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from simulators.quantity import quantity

ANSWER_KINDS = (
    "no_answer",
    "late_answer",
    "wrong_answer",
    "cut_answer",
    "dropped_bytes",
    "garbage",
    "wrong_identity",
)
"""Something happens to an answer on its way; `at` counts answers (of `wrong_identity`: to `*IDN?`)."""
MESSAGE_KINDS = ("lost_message", "disconnect", "queue_overflow")
"""Something happens as a message arrives; `at` counts messages."""
TERMINAL_KINDS = ("stuck", "compliance", "over_range", "not_a_number", "drift")
"""Something happens at a socket; it has a time and no count."""
SOURCE_KINDS = ("stuck", "compliance", "drift")
INPUT_KINDS = ("over_range", "not_a_number", "drift")
KINDS = (*ANSWER_KINDS, *MESSAGE_KINDS, *TERMINAL_KINDS)
"""All there are."""


def _known(kind: str) -> str:
    if kind not in KINDS:
        close = get_close_matches(kind, KINDS, 1)
        raise ValueError(
            f"no fault {kind!r}; "
            + (f"did you mean {close[0]!r}? " if close else "")
            + f"There are {', '.join(KINDS)}"
        )
    return kind


_SETTINGS = {
    "late_answer": {"delay"},
    "wrong_answer": {"answer"},
    "wrong_identity": {"answer"},
    "dropped_bytes": {"bytes"},
    "disconnect": {"tries", "pause"},
    "stuck": {"shown"},
    "compliance": {"level"},
    "over_range": {"level"},
    "drift": {"rate"},
}
_COUNTED = {"at", "probability", "times"}
_NEEDED = {"late_answer": "delay", "compliance": "level", "drift": "rate"}


class Fault(BaseModel):
    """A fault of one instrument. Times are virtual, in seconds since the bench was switched on.

    Attributes:
        instrument: its name in the bench file.
        kind: one of `KINDS`.
        terminal: the socket, for the kinds that happen at one.
        at: the exchange, from 1, counted since the fault was injected; None for every one.
        start_s, stop_s: when it can happen (`from` and `until` in a file).
        probability: of each exchange that could meet it.
        times: how often it happens; as a rule once where `at` says when, else whenever it can.
        delay_s: how late an answer is.
        answer: what is answered instead; without it, the answer before is given once more.
        bytes: how many bytes are lost of an answer, at random.
        tries, pause_s: how many new connections are refused, and for how long, after one was lost.
        shown: whether a stuck output reads back where it is stuck, and not where it should be.
        level_V: what a source is limited to either way, or what an input sees beyond its range.
        rate_V_per_s: how fast it drifts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    instrument: str
    kind: Annotated[str, AfterValidator(_known)]
    terminal: str | None = None
    at: Annotated[int, Field(ge=1)] | None = None
    start_s: Annotated[float, quantity("s"), Field(ge=0)] | None = Field(default=None, alias="from")
    stop_s: Annotated[float, quantity("s"), Field(ge=0)] | None = Field(default=None, alias="until")
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    times: Annotated[int, Field(ge=1)] | None = None
    delay_s: Annotated[float, quantity("s"), Field(gt=0)] | None = Field(default=None, alias="delay")
    answer: str | None = None
    bytes: Annotated[int, Field(ge=1)] = 1
    tries: Annotated[int, Field(ge=0)] = 0
    pause_s: Annotated[float, quantity("s"), Field(ge=0)] = Field(default=0.0, alias="pause")
    shown: bool = False
    level_V: Annotated[float, quantity("V"), Field(ge=0)] | None = Field(default=None, alias="level")
    rate_V_per_s: Annotated[float, quantity("V/s")] | None = Field(default=None, alias="rate")

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, given: Any) -> Any:
        """In YAML a terminal may look like a number."""
        if isinstance(given, dict) and isinstance(given.get("terminal"), int):
            return {**given, "terminal": str(given["terminal"])}
        return given

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        written = {self._spelled(name) for name in self.model_fields_set}
        allowed = {"instrument", "kind", "from", "until", *_SETTINGS.get(self.kind, ())}
        allowed |= {"terminal"} if self.at_terminal else _COUNTED
        if strange := sorted(written - allowed):
            raise ValueError(
                f"{strange[0]} says nothing of {self.kind}; it takes {', '.join(sorted(allowed - {'kind'}))}"
            )
        if self.at_terminal and self.terminal is None:
            raise ValueError(f'{self.kind} happens at a terminal; name it, such as terminal: "1"')
        needed = _NEEDED.get(self.kind)
        if needed is not None and needed not in written:
            raise ValueError(f"{self.kind} needs its {needed}; add it, with its unit")
        if self.start_s is not None and self.stop_s is not None and self.stop_s <= self.start_s:
            raise ValueError(f"until {self.stop_s:g} s is not after from {self.start_s:g} s")
        return self

    @property
    def at_terminal(self) -> bool:
        """Whether it happens at a socket and not on the line."""
        return self.kind in TERMINAL_KINDS

    @property
    def most(self) -> float:
        """How often it happens at most."""
        if self.times is not None:
            return self.times
        return float("inf") if self.at is None else 1

    @classmethod
    def _spelled(cls, name: str) -> str:
        return cls.model_fields[name].alias or name

    def __str__(self) -> str:
        where = self.instrument if self.terminal is None else f"{self.instrument}.{self.terminal}"
        settings = [
            f"{self._spelled(name)} {getattr(self, name)}"
            for name in type(self).model_fields
            if name in self.model_fields_set and name not in ("instrument", "kind", "terminal")
        ]
        return " ".join([where, self.kind, *settings])
