"""The PyVISA library whose resources are the instruments of an emulated bench.

`pyvisa.ResourceManager("bench.yaml@hil")`, or PYVISA_LIBRARY=bench.yaml@hil for a script that names no
library, or `@hil` with the bench file in HIL_BENCH. Like a real bench, the emulated one stays switched on
while sessions come and go, for the whole life of the process; `power_off` ends it.
"""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn, Protocol, cast

from pyvisa import constants, errors, rname
from pyvisa.constants import BufferOperation, EventMechanism, EventType, ResourceAttribute, StatusCode
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.typing import VISAEventContext, VISARMSession, VISASession
from pyvisa.util import DebugInfo, LibraryPath

from simulators.clock import VirtualClock
from simulators.instrument import Disconnected, VirtualInstrument
from simulators.line import Link, seconds_per_byte
from simulators.visa.attributes import refusal
from simulators.visa.session import Port, Session

BENCH_VARIABLE = "HIL_BENCH"

_MESSAGE_AVAILABLE = 1 << 4
_DISCARDS_INPUT = (
    BufferOperation.discard_read_buffer
    | BufferOperation.discard_read_buffer_no_io
    | BufferOperation.discard_receive_buffer
    | BufferOperation.discard_receive_buffer2
)


class EmulatedBench(Protocol):
    """What the library needs of a bench."""

    @property
    def clock(self) -> VirtualClock: ...  # noqa: D102
    @property
    def resources(self) -> Mapping[str, VirtualInstrument]: ...  # noqa: D102
    @property
    def instruments(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def link(self) -> Link: ...  # noqa: D102


_powered: dict[str, EmulatedBench] = {}
_in_memory: dict[str, EmulatedBench] = {}
_serial = itertools.count(1)


def power_off(path: str | None = None) -> None:
    """Forget the bench of this path (all if None); the next library opened on it is a bench just switched on.

    The path is spelled as in the library's name. Sessions that are open stay on the bench they have.
    """
    for known in [path] if path is not None else list(_powered):
        _powered.pop(known, None)
        HilVisaLibrary.forget(known)


def powered(path: str) -> EmulatedBench:
    """The bench of this path, switched on if it is not yet; raises BenchError for a file that cannot be used."""
    if path not in _powered:
        # brings in the chips' models: only where a bench file is opened
        _powered[path] = cast("EmulatedBench", import_module("simulators.bench").load(path))
    return _powered[path]


class HilVisaLibrary(VisaLibraryBase):
    """PyVISA's view of an emulated bench. Errors are pyvisa.errors.VisaIOError, as with any VISA."""

    _bench: EmulatedBench
    _ports: dict[str, Port]
    _sessions: dict[int, Session]
    _managers: set[int]
    _contexts: set[int]

    def __new__(cls, library_path: str | LibraryPath = "") -> "HilVisaLibrary":
        """Open the bench file; raises OSError when none is named, and what reading the file raises."""
        if not library_path and not os.environ.get(BENCH_VARIABLE):
            raise OSError(f'no bench file: write "bench.yaml@hil", or put its path into {BENCH_VARIABLE}')
        return cast("HilVisaLibrary", super().__new__(cls, library_path))

    @property
    def bench(self) -> EmulatedBench:
        """The bench behind the library."""
        return self._bench

    @classmethod
    def for_bench(cls, bench: EmulatedBench) -> "HilVisaLibrary":
        """A library on a bench that is already in memory, for `pyvisa.ResourceManager(library)`."""
        path = f"<bench {next(_serial)}>"
        _in_memory[path] = bench
        return cls(LibraryPath(path, "in memory"))

    @classmethod
    def forget(cls, path: str) -> None:
        """Let the next library of this path be a new object."""
        for key in [key for key in cls._registry if key[1] == path]:
            cls._registry.pop(key, None)

    @staticmethod
    def get_library_paths() -> Iterable[LibraryPath]:
        """The bench file named in the environment, if any."""
        path = os.environ.get(BENCH_VARIABLE)
        return (LibraryPath(path, BENCH_VARIABLE),) if path else ()

    @staticmethod
    def get_debug_info() -> DebugInfo:
        """What `pyvisa-info` prints."""
        return {"Emulated bench": os.environ.get(BENCH_VARIABLE, f"none in {BENCH_VARIABLE}")}

    def standing_errors(self, session: VISASession) -> tuple[int, ...]:
        """Codes of the errors that wait in the instrument's queue, and stay there."""
        return self._session(session).port.instrument.standing_errors()

    @property
    def clock(self) -> VirtualClock:
        """The bench's virtual time."""
        return self._bench.clock

    def _init(self) -> None:
        path = str(self.library_path)
        if path in _in_memory:
            self._bench = _in_memory.pop(path)
        else:
            self._bench = powered(path)
        link = self._bench.link
        self._ports = {}
        for spelled, instrument in self._bench.resources.items():
            name = rname.ResourceName.from_string(spelled)
            self._ports[str(name).upper()] = Port(
                name=name,
                instrument=instrument,
                clock=self._bench.clock,
                latency_s=link.latency_s,
                seconds_per_byte=seconds_per_byte(link),
            )
        self._sessions = {}
        self._managers = set()
        self._contexts = set()
        self._handles = itertools.count(1)

    # Sessions ---------------------------------------------------------------------------------------------

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        """viOpenDefaultRM."""
        handle = VISARMSession(next(self._handles))
        self._managers.add(handle)
        return handle, self.handle_return_value(handle, StatusCode.success)

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        """viFindRsrc and viFindNext."""
        return tuple(rname.filter([str(port.name) for port in self._ports.values()], query))

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """viOpen."""
        if session not in self._managers:
            raise errors.VisaIOError(StatusCode.error_invalid_object)
        try:
            canonical = str(rname.ResourceName.from_string(resource_name)).upper()
        except rname.InvalidResourceName:
            raise errors.VisaIOError(StatusCode.error_invalid_resource_name) from None
        port = self._ports.get(canonical)
        if port is None:
            error = errors.VisaIOError(StatusCode.error_resource_not_found)
            present = ", ".join(str(port.name) for port in self._ports.values()) or "nothing"
            error.add_note(f"{resource_name} is not on the bench {self.library_path}, which has {present}")
            raise error
        try:
            port.instrument.connected()
        except Disconnected:
            error = errors.VisaIOError(StatusCode.error_resource_not_found)
            error.add_note(f"{resource_name} takes no connection: its line is down")
            raise error from None
        handle = VISASession(next(self._handles))
        if access_mode in (constants.AccessModes.exclusive_lock, constants.AccessModes.shared_lock):
            kind = constants.Lock(int(access_mode))
            _, status = port.lock.acquire(handle, kind)
            if status < 0:
                port.clock.advance(open_timeout / 1000)
                raise errors.VisaIOError(status)
        self._sessions[handle] = Session(port, handle, session)
        return handle, self.handle_return_value(handle, StatusCode.success)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        """viClose, of a session, an event or the resource manager."""
        if session in self._contexts:
            self._contexts.discard(session)
        elif session in self._managers:
            self._managers.discard(session)
            for handle, owned in list(self._sessions.items()):
                if owned.attributes[ResourceAttribute.resource_manager_session] == session:
                    self._release(handle)
        elif session in self._sessions:
            self._release(session)
        else:
            raise errors.VisaIOError(StatusCode.error_invalid_object)
        return StatusCode.success

    def _release(self, handle: int) -> None:
        self._sessions.pop(handle).port.lock.abandon(handle)

    def _session(self, handle: int) -> Session:
        try:
            return self._sessions[handle]
        except KeyError:
            raise errors.VisaIOError(StatusCode.error_invalid_object) from None

    def _using(self, handle: int) -> Session:
        """The session, if no lock of another keeps it from using the instrument."""
        session = self._sessions.get(handle) or self._session(handle)
        if session.lock.held and not session.lock.admits(handle):
            self.handle_return_value(cast(VISASession, handle), StatusCode.error_resource_locked)
        if session.lost:
            self._connection_lost(handle)
        return session

    @contextmanager
    def _line(self, handle: int) -> Iterator[Session]:
        """The session for something that goes over its line; VI_ERROR_CONN_LOST when that is down."""
        try:
            yield self._using(handle)
        except Disconnected:
            self._connection_lost(handle)

    def _connection_lost(self, handle: int) -> NoReturn:
        """Every session to the instrument is lost with the line, and stays so: a new one may work again."""
        port = self._session(handle).port
        port.drop()
        for session in self._sessions.values():
            session.lost |= session.port is port
        lost = StatusCode.error_connection_lost
        self._last_status = self._last_status_in_session[cast(VISASession, handle)] = lost
        raise errors.VisaIOError(lost)

    def get_attribute(
        self, session: VISASession | VISAEventContext | VISARMSession, attribute: Any
    ) -> tuple[Any, StatusCode]:
        """viGetAttribute."""
        if session in self._contexts and attribute == constants.EventAttribute.event_type:
            return EventType.service_request, StatusCode.success
        present = self._session(session)
        if attribute == ResourceAttribute.resource_lock_state:
            return present.port.lock.state(), StatusCode.success
        if attribute not in present.attributes:
            raise errors.VisaIOError(StatusCode.error_nonsupported_attribute)
        return present.attributes[attribute], self.handle_return_value(
            cast(VISASession, session), StatusCode.success
        )

    def set_attribute(self, session: VISASession, attribute: Any, attribute_state: Any) -> StatusCode:
        """viSetAttribute."""
        present = self._session(session)
        refused = refusal(present.attributes, attribute)
        if refused is None:
            present.attributes[int(attribute)] = attribute_state
            present.refresh()
        return self.handle_return_value(session, refused or StatusCode.success)

    # Messages ---------------------------------------------------------------------------------------------

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """viWrite."""
        try:
            self._using(session).write(data)
        except Disconnected:
            self._connection_lost(session)
        self._last_status = self._last_status_in_session[session] = StatusCode.success
        return len(data), StatusCode.success

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """viRead: waits in virtual time, VI_ERROR_TMO when nothing comes."""
        try:
            data, status = self._using(session).read(count)
        except Disconnected:
            self._connection_lost(session)
        if status is StatusCode.success:
            self._last_status = self._last_status_in_session[session] = status
            return data, status
        return data, self.handle_return_value(session, status)

    def buffer_write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """viBufWrite: there is no buffer between."""
        return self.write(session, data)

    def buffer_read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """viBufRead: there is no buffer between."""
        return self.read(session, count)

    def clear(self, session: VISASession) -> StatusCode:
        """viClear: a device clear, or on a plain stream only a flush of what has arrived."""
        with self._line(session) as using:
            if using.stream:
                using.port.drain()
            else:
                using.port.drop()
                using.port.instrument.clear()
        return self.handle_return_value(session, StatusCode.success)

    def flush(self, session: VISASession, mask: BufferOperation) -> StatusCode:
        """viFlush: on a plain stream, what the instrument has sent can be thrown away."""
        with self._line(session) as using:
            if mask & _DISCARDS_INPUT and using.stream:
                using.port.drain()
        return self.handle_return_value(session, StatusCode.success)

    def set_buffer(self, session: VISASession, mask: constants.BufferType, size: int) -> StatusCode:
        """viSetBuf: any size will do."""
        self._session(session)
        return self.handle_return_value(session, StatusCode.success)

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """viReadSTB: a serial poll."""
        with self._line(session) as using:
            self._message_based(session, using)
            byte = using.port.instrument.status_byte() | (_MESSAGE_AVAILABLE if using.port.unread else 0)
        for other in self._sessions.values():
            if other.port is using.port:
                other.service_request_seen = False
        return byte, self.handle_return_value(session, StatusCode.success)

    def assert_trigger(self, session: VISASession, protocol: constants.TriggerProtocol) -> StatusCode:
        """viAssertTrigger: a group execute trigger."""
        with self._line(session) as using:
            self._message_based(session, using)
            using.port.instrument.trigger()
        return self.handle_return_value(session, StatusCode.success)

    def gpib_control_ren(self, session: VISASession, mode: constants.RENLineOperation) -> StatusCode:
        """viGpibControlREN: an emulated front panel is nobody's, so remote and local are alike."""
        self._message_based(session, self._using(session))
        return self.handle_return_value(session, StatusCode.success)

    def _message_based(self, handle: VISASession, session: Session) -> None:
        if session.stream:
            self.handle_return_value(handle, StatusCode.error_nonsupported_operation)

    # Locks ------------------------------------------------------------------------------------------------

    def lock(
        self,
        session: VISASession,
        lock_type: constants.Lock,
        timeout: int,
        requested_key: str | None = None,
    ) -> tuple[str, StatusCode]:
        """viLock: nobody can let go while this waits, so a lock that is not free costs the timeout."""
        port = self._session(session).port
        key, status = port.lock.acquire(session, lock_type, requested_key)
        if status == StatusCode.error_resource_locked:
            if timeout != constants.VI_TMO_INFINITE:
                port.clock.advance(timeout / 1000)
            if timeout:
                status = StatusCode.error_timeout
        return key, self.handle_return_value(session, status)

    def unlock(self, session: VISASession) -> StatusCode:
        """viUnlock."""
        return self.handle_return_value(session, self._session(session).port.lock.release(session))

    # Events -----------------------------------------------------------------------------------------------

    def enable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism, context: None = None
    ) -> StatusCode:
        """viEnableEvent: service requests, by queue."""
        present = self._session(session)
        if event_type != EventType.service_request or present.stream:
            return self.handle_return_value(session, StatusCode.error_invalid_event)
        if mechanism != EventMechanism.queue:
            return self.handle_return_value(session, StatusCode.error_nonsupported_mechanism)
        present.service_requests_enabled = True
        return self.handle_return_value(session, StatusCode.success)

    def disable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """viDisableEvent."""
        self._session(session).service_requests_enabled = False
        return StatusCode.success

    def discard_events(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """viDiscardEvents."""
        present = self._session(session)
        present.service_request_seen = bool(getattr(present.port.instrument, "service_requested", False))
        return StatusCode.success

    def wait_on_event(
        self, session: VISASession, in_event_type: EventType, timeout: int
    ) -> tuple[EventType, VISAEventContext, StatusCode]:
        """viWaitOnEvent: waits for a service request in virtual time."""
        present = self._session(session)
        if not present.service_requests_enabled:
            self.handle_return_value(session, StatusCode.error_not_enabled)
        seconds = float("inf") if timeout is None or timeout == constants.VI_TMO_INFINITE else timeout / 1000
        if not present.wait_for_service_request(seconds):
            self.handle_return_value(session, StatusCode.error_timeout)
        context = VISAEventContext(next(self._handles))
        self._contexts.add(context)
        return EventType.service_request, context, self.handle_return_value(session, StatusCode.success)
