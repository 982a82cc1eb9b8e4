"""A PyVISA library that records what goes over another one."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from pyvisa import constants
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError
from pyvisa.highlevel import VisaLibraryBase, open_visa_library
from pyvisa.typing import VISAEventContext, VISARMSession, VISASession

from simulators.errors import RecordingError, SourceError
from simulators.recording.format import CALLS
from simulators.recording.recorder import Recorder, recorder
from simulators.recording.spelling import Spelling, read_spelling
from simulators.yaml_source import YamlSource

_PARTIAL = StatusCode.success_max_count_read


@dataclass
class Track:
    """What the recording knows of an open session."""

    number: int
    seen: dict[int, Any] = field(default_factory=dict)
    answer: bytearray = field(default_factory=bytearray)  # fetched so far, its end not yet
    began: float = 0.0
    ended: float = 0.0


class RecordingLibrary(VisaLibraryBase):
    """Records every exchange and is otherwise the library it wraps: same sessions, statuses and errors."""

    _wrapped: VisaLibraryBase
    _recorder: Recorder
    _tracks: dict[int, Track]

    def _init(self) -> None:
        spelled = cast(Spelling, read_spelling(str(self.library_path)))
        self._wrapped = open_wrapped(spelled.library)
        clock = getattr(self._wrapped, "clock", None)  # an emulated bench has a time of its own
        self._now: Callable[[], float] = time.monotonic if clock is None else lambda: float(clock.now)
        kind = "monotonic" if clock is None else "virtual"
        self._recorder = recorder(spelled.path, spelled.library, kind, _seeds(spelled.library))
        self._start_s = self._recorder.start_s(spelled.library, self._now())
        self._name = spelled.library
        self._tracks = {}

    def __getattr__(self, name: str) -> Any:
        wrapped = self.__dict__.get("_wrapped")
        if wrapped is None:
            raise AttributeError(name)
        return getattr(wrapped, name)

    # Sessions ---------------------------------------------------------------------------------------------

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """viOpen; one that fails is recorded too."""
        number = self._recorder.new_session()
        named = {"resource": resource_name, "library": self._name}
        with self._called("open", number, **named) as told:
            handle, told["status"] = self._wrapped.open(session, resource_name, access_mode, open_timeout)
        self._tracks[handle] = Track(number)
        return handle, told["status"]

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        """viClose."""
        track = self._tracks.pop(session, None)
        if track is None:
            return self._wrapped.close(session)
        self._put_down(track)
        with self._called("close", track.number) as told:
            told["status"] = self._wrapped.close(session)
        return told["status"]

    def get_attribute(
        self, session: VISASession | VISAEventContext | VISARMSession, attribute: Any
    ) -> tuple[Any, StatusCode]:
        """viGetAttribute; recorded when the value is news."""
        value, status = self._wrapped.get_attribute(session, attribute)
        track = self._tracks.get(session)
        number = int(attribute)
        if track is not None and (number not in track.seen or track.seen[number] != value):
            track.seen[number] = value
            now = self._now() - self._start_s
            self._recorder.call("get", track.number, now, now, int(status), args=[number], value=value)
        return value, status

    def set_attribute(self, session: VISASession, attribute: Any, attribute_state: Any) -> StatusCode:
        """viSetAttribute."""
        track = self._tracks.get(session)
        if track is None:
            return self._wrapped.set_attribute(session, attribute, attribute_state)
        self._put_down(track)
        named = {"args": [int(attribute)], "value": attribute_state}
        with self._called("set", track.number, **named) as told:
            told["status"] = self._wrapped.set_attribute(session, attribute, attribute_state)
        track.seen[int(attribute)] = attribute_state
        return told["status"]

    # Messages ---------------------------------------------------------------------------------------------

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """viWrite."""
        began = self._now() - self._start_s
        track = self._tracks.get(session)
        if track is not None and track.answer:
            self._put_down(track)
        try:
            count, status = self._wrapped.write(session, data)
        except BaseException as error:
            self._message("write", track, began, bytes(data), *fault(error))
            raise
        self._message("write", track, began, bytes(data), status)
        return count, status

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """viRead; the recording has the pieces of an answer as one."""
        began = self._now() - self._start_s
        track = self._tracks.get(session)
        try:
            data, status = self._wrapped.read(session, count)
        except BaseException as error:
            self._message("read", track, began, b"", *fault(error))
            raise
        if track is not None and status == _PARTIAL:
            if not track.answer:
                track.began = began
            track.answer += data
            track.ended = self._now() - self._start_s
            return data, status
        self._message("read", track, began, bytes(data), status)
        return data, status

    def monotonic_s(self) -> float:
        """The time in seconds, as `time.monotonic` gives it; a replay gives the same again."""
        now, told = self._now() - self._start_s, time.monotonic()
        self._recorder.call("clock", 0, now, now, 0, value=told)
        return told

    def _message(
        self, op: str, track: Track | None, began: float, data: bytes, status: int, error: str = ""
    ) -> None:
        if track is None:
            return
        if track.answer and op == "read":
            data, began = bytes(track.answer) + data, track.began
            track.answer.clear()
        self._recorder.message(op, track.number, began, self._now() - self._start_s, data, status, error)

    def _put_down(self, track: Track) -> None:
        """Record an answer that was not fetched to its end, before something else happens."""
        if track.answer:
            data = bytes(track.answer)
            track.answer.clear()
            self._recorder.message("read", track.number, track.began, track.ended, data, _PARTIAL)

    @contextmanager
    def _called(self, op: str, number: int, **fields: Any) -> Iterator[dict[str, Any]]:
        """Record a call; the block puts its status and value into what it is given."""
        told: dict[str, Any] = dict(fields)
        began = self._now() - self._start_s
        try:
            yield told
        except BaseException as error:
            told["status"], said = fault(error)
            if said:
                told["error"] = said
            raise
        finally:
            status = int(told.pop("status", 0))
            self._recorder.call(op, number, began, self._now() - self._start_s, status, **told)
            told["status"] = StatusCode(status) if status in _STATUSES else status


_STATUSES = frozenset(int(status) for status in StatusCode)


def fault(error: BaseException) -> tuple[int, str]:
    """The status that an exception stands for, and its name where it is not VISA's."""
    if isinstance(error, VisaIOError):
        return int(error.error_code), ""
    return int(StatusCode.error_system_error), type(error).__name__


def open_wrapped(library: str) -> VisaLibraryBase:
    """Open a library by its PyVISA spelling; empty is the system's VISA, or pyvisa-py where there is none."""
    if library:
        # ours is what PYVISA_LIBRARY names while a script is recorded: a name that is empty is resolved here
        return open_visa_library(library)
    try:
        return open_visa_library("@ivi")
    except (OSError, ValueError) as missing:
        try:
            return open_visa_library("@py")
        except ValueError:
            raise RecordingError(
                f"there is no VISA library to record ({missing}); install one, or pyvisa-py, or name it"
            ) from None


def _seeds(library: str) -> dict[str, int]:
    """The seeds of what is recorded, where it is an emulated bench."""
    path, _, backend = library.rpartition("@")
    if backend != "hil" or not path:
        return {}
    try:
        emulator = YamlSource.read(path).values.get("emulator")
    except (SourceError, OSError):
        return {}
    seed = emulator.get("seed") if isinstance(emulator, dict) else None
    return {"emulator": seed} if isinstance(seed, int) else {}


def _recorded_call(name: str) -> Callable[..., Any]:
    def call(self: RecordingLibrary, session: Any, *arguments: Any, **named: Any) -> Any:
        function = getattr(self._wrapped, name)
        track = self._tracks.get(session)
        if track is None:
            return function(session, *arguments, **named)
        self._put_down(track)
        with self._called(name, track.number, args=[*arguments, *named.values()]) as told:
            answer = function(session, *arguments, **named)
            *value, told["status"] = answer if isinstance(answer, tuple) else (answer,)
            if value:
                told["value"] = value
        return answer

    call.__name__, call.__doc__ = name, getattr(VisaLibraryBase, name).__doc__
    return call


def _passed_on(name: str) -> Callable[..., Any]:
    def call(self: RecordingLibrary, *arguments: Any, **named: Any) -> Any:
        return getattr(self._wrapped, name)(*arguments, **named)

    call.__name__, call.__doc__ = name, getattr(VisaLibraryBase, name).__doc__
    return call


def _wrapped_property(name: str) -> Callable[[RecordingLibrary], Any]:
    return lambda self: getattr(self._wrapped, name)


def _complete() -> None:
    """Give RecordingLibrary the functions that the base class would otherwise answer for."""
    for name, member in vars(VisaLibraryBase).items():
        if name.startswith("_") or name in vars(RecordingLibrary) or isinstance(member, staticmethod):
            continue
        if isinstance(member, property):
            setattr(RecordingLibrary, name, property(_wrapped_property(name)))
        elif callable(member):
            make = _recorded_call if name in CALLS else _passed_on
            setattr(RecordingLibrary, name, make(name))


_complete()
