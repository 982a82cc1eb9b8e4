"""Locks on a VISA resource (VPP-4.3, 3.6): exclusive, or shared among the sessions that know a key."""

import itertools
from collections import Counter

from pyvisa.constants import AccessModes, Lock, StatusCode

_LONGEST_KEY = 256
_serial = itertools.count(1)


class ResourceLock:
    """Who may use one resource; sessions are their handles."""

    def __init__(self) -> None:
        self.held = False  # whether anybody holds a lock: a plain attribute, asked at every transfer
        self._exclusive: int | None = None
        self._depth = 0
        self._sharing: Counter[int] = Counter()
        self._key: str | None = None

    def state(self) -> AccessModes:
        """The kind of lock in force."""
        if self._exclusive is not None:
            return AccessModes.exclusive_lock
        return AccessModes.shared_lock if self._key is not None else AccessModes.no_lock

    def admits(self, session: int) -> bool:
        """Whether the session may use the resource now."""
        if self._exclusive is not None:
            return session == self._exclusive
        return self._key is None or session in self._sharing

    def is_exclusive(self, session: int) -> bool:
        """Whether the session holds the exclusive lock."""
        return self._exclusive == session

    def holders(self) -> tuple[bool, int]:
        """Whether an exclusive lock is held, and how many sessions hold a lock of either kind."""
        sharing = set(self._sharing) - {self._exclusive}
        return self._exclusive is not None, len(sharing) + (self._exclusive is not None)

    def acquire(self, session: int, kind: Lock, key: str | None = None) -> tuple[str, StatusCode]:
        """Take a lock; gives the key of a shared one, and an error status where it cannot be had."""
        if not self.admits(session) and not (
            kind == Lock.shared and self._exclusive is None and key is not None and key == self._key
        ):
            return "", StatusCode.error_resource_locked
        if kind == Lock.exclusive:
            nested = self._exclusive == session
            self._exclusive, self.held = session, True
            self._depth += 1
            return "", StatusCode.success_nested_exclusive if nested else StatusCode.success
        if key is not None and (len(key) > _LONGEST_KEY or (self._key not in (None, key))):
            return "", StatusCode.error_invalid_access_key
        nested = session in self._sharing
        self._key, self.held = self._key or key or f"hil-{next(_serial)}", True
        self._sharing[session] += 1
        return self._key, StatusCode.success_nested_shared if nested else StatusCode.success

    def release(self, session: int) -> StatusCode:
        """Undo the session's newest lock, the exclusive one first."""
        if self._exclusive == session:
            self._depth -= 1
            if self._depth:
                return StatusCode.success_nested_exclusive
            self._exclusive = None
            self.held = self._key is not None
            return StatusCode.success_nested_shared if session in self._sharing else StatusCode.success
        if session not in self._sharing:
            return StatusCode.error_session_not_locked
        self._sharing[session] -= 1
        if self._sharing[session]:
            return StatusCode.success_nested_shared
        self._forget_share(session)
        return StatusCode.success

    def abandon(self, session: int) -> None:
        """The session is closed: all its locks go."""
        if self._exclusive == session:
            self._exclusive, self._depth = None, 0
        self._forget_share(session)

    def _forget_share(self, session: int) -> None:
        self._sharing.pop(session, None)
        if not self._sharing:
            self._key = None
        self.held = self._exclusive is not None or self._key is not None
