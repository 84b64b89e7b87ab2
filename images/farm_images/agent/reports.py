"""What the plugins report, from two unix sockets: validated, bounded, and written anew for the host.

Used by `watch`. One socket is for tox's steps, one for tests, so that a test cannot speak of steps. Any
process of the job may write anything here: what is not a plausible event is counted and dropped, never
passed on.
"""

import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from farm_images.agent.job_user import JobUser
from farm_images.agent.packets import JSON, TEXT, Packets
from farm_images.subunit_stream import Bounds, Decoder, Event
from farm_images.wire import ID_COMMANDS, ID_CREATE, ID_ERROR, ID_INSTALL, ID_PACKAGE, ID_PROVISION, MAX_CHUNK

MAX_BYTES = 128 << 20
_MAX_CONNECTIONS = 64
_READ_BYTES = 1 << 16
_BOUNDS = Bounds(packet=1 << 19, test_id=16_384, text=256, tags=8)
_STEPS = frozenset({ID_CREATE, ID_PACKAGE, ID_INSTALL, ID_COMMANDS, ID_PROVISION, ID_ERROR})
_WITHOUT_ENVIRONMENT = frozenset({ID_PROVISION, ID_ERROR})
_STEP_FILES = {"commands.json": JSON, "reason": TEXT, "text": TEXT}
_TEST_FILES = dict.fromkeys(("traceback", "reason", "stdout", "stderr", "log"), TEXT)

_NATIVE = "native:"
"""Tag of what the tox plugin read from a command's standard output; when the command began follows (Unix time)."""

Judge = Callable[[Event, frozenset[str]], Event | None]


def judge_step(event: Event, environments: frozenset[str]) -> Event | None:
    """An event of the tox plugin as it may go on, or None."""
    if event.test_id not in _STEPS or event.status in {"exists", "uxsuccess", "xfail"}:
        return None
    if event.route_code not in ({None} if event.test_id in _WITHOUT_ENVIRONMENT else environments):
        return None
    return _with_file(replace(event, runnable=False), _STEP_FILES)


def judge_test(event: Event, environments: frozenset[str]) -> Event | None:
    """An event of the pytest plugin as it may go on, or None."""
    if not event.test_id or event.test_id.startswith("farm:"):
        return None
    if event.route_code not in environments:
        if len(environments) > 1:
            return None
        event = replace(event, route_code=next(iter(environments)))
    return _with_file(event, _TEST_FILES)


def _with_file(event: Event, files: dict[str, str]) -> Event | None:
    if event.file_name is None:
        return event if event.status else None
    if event.file_name not in files:
        return None
    return replace(event, mime_type=files[event.file_name])


class Listener:
    """One socket of the plugins. `connections` come and go; `ended` once closed and read out."""

    def __init__(self, path: Path, user: JobUser) -> None:
        path.unlink(missing_ok=True)
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        user.own(path)
        path.chmod(0o600)
        self._socket.listen(_MAX_CONNECTIONS)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    def accept(self) -> socket.socket | None:
        """One new connection, if there still is one."""
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return None
        connection.setblocking(False)
        return connection

    def close(self) -> None:
        """Take no more connections."""
        self._socket.close()
        self.path.unlink(missing_ok=True)


class Relay:
    """Counts and passes on what all connections of one job say.

    Attributes:
        refused: packets that were dropped.
        garbled_bytes: bytes outside packets.
        exceeded: more than 128 MiB came.
        sealed: tox has begun with an environment, so code of the project may run, as the same user: who only then comes
            to the socket for steps is not tox.
    """

    def __init__(self, packets: Packets, environments: frozenset[str]) -> None:
        self._packets = packets
        self._environments = environments
        self._left = MAX_BYTES
        self._open = 0
        self._started = datetime.now(UTC)
        self._told: dict[str | None, float] = {}
        self.refused = 0
        self.garbled_bytes = 0
        self.exceeded = False
        self.sealed = False

    def has_room(self) -> bool:
        """Whether one more connection is taken."""
        return self._open < _MAX_CONNECTIONS

    def connection(self, connection: socket.socket, judge: Judge) -> "Connection":
        """A reader for a new connection."""
        self._open += 1
        return Connection(connection, self, judge)

    def closed(self, garbled_bytes: int) -> None:
        """A connection ended."""
        self._open -= 1
        self.garbled_bytes += garbled_bytes

    def count(self, data: bytes) -> bytes:
        """What of these bytes still counts."""
        self.exceeded = self.exceeded or len(data) > self._left
        data = data[: self._left]
        self._left -= len(data)
        return data

    def pass_on(self, event: Event, judge: Judge) -> None:
        """Send an event to the host, or count it as refused."""
        judged = judge(event, self._environments)
        if judged is None:
            self.refused += 1
            return
        self.sealed = self.sealed or (judge is judge_step and judged.route_code is not None)
        moment = self._plausible(event.timestamp)
        if judge is judge_test and self._is_told_twice(judged, moment):
            return
        judged = replace(judged, tags=frozenset(), eof=False, timestamp=moment)
        content = judged.file_bytes
        if content is None:
            self._packets.event(judged)
            return
        status = judged.status
        for start in range(0, max(len(content), 1), MAX_CHUNK):
            chunk = content[start : start + MAX_CHUNK]
            is_last = start + MAX_CHUNK >= len(content)
            self._packets.event(
                replace(judged, file_bytes=chunk, status=status if is_last else None, eof=is_last)
            )

    def _is_told_twice(self, event: Event, moment: datetime) -> bool:
        """Whether a result from a command's output comes of one whose tests the plugins in its processes report."""
        tag = next((tag for tag in event.tags if tag.startswith(_NATIVE)), None)
        if tag is None:
            # By when it was said: what was said before a command began may be read after it did.
            self._told[event.route_code] = max(moment.timestamp(), self._told.get(event.route_code, 0.0))
            return False
        try:
            began = float(tag.removeprefix(_NATIVE))
        except ValueError:
            return True
        return not self._told.get(event.route_code, 0.0) < began

    def _plausible(self, moment: datetime | None) -> datetime:
        """The sender's time if it lies within the job so far; else now. Tests play with clocks."""
        now = datetime.now(UTC)
        if moment is None or not self._started - timedelta(seconds=1) <= moment <= now:
            return now
        return moment


class Connection:
    """One connection of a plugin, or of anything that says it is one."""

    def __init__(self, connection: socket.socket, relay: Relay, judge: Judge) -> None:
        self._socket = connection
        self._relay = relay
        self._judge = judge
        self._decoder = Decoder(_BOUNDS)

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    def read(self) -> bool:
        """Take what is there; False at its end, after which it is closed."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        counted = self._relay.count(data)
        for event in self._decoder.feed(counted) if counted else self._decoder.close():
            self._relay.pass_on(event, self._judge)
        if counted:
            return True
        self._relay.closed(self._decoder.garbled_bytes + self._decoder.truncated_bytes)
        self._socket.close()
        return False
