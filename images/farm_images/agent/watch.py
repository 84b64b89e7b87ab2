"""The time between the start of tox and the last byte of its job: everything that can happen, in one loop.

Used by `job`. It moves bytes from the job to the host, ends the job when a limit or the host says so, and
never reads from the job what the host does not take.
"""

import os
import selectors
import socket
import time
from dataclasses import dataclass

from farm_images.agent.channel import HIGH_WATER, Channel
from farm_images.agent.confinement import Confinement
from farm_images.agent.log import Log
from farm_images.agent.name_server import NameServer
from farm_images.agent.pressure import Pressure
from farm_images.agent.reports import Connection, Judge, Listener, Relay, judge_step, judge_test
from farm_images.agent.starter_process import StarterProcess
from farm_images.wire import FrameType

_DRAIN_SECONDS = 10.0
_TICK_SECONDS = 1.0
_MAX_WAITING = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """The sockets of the two plugins, and the name server where the agent may be one."""

    steps: Listener
    tests: Listener
    names: NameServer | None = None

    def close(self) -> None:
        """Take no more connections."""
        self.steps.close()
        self.tests.close()
        if self.names is not None:
            self.names.close()


class Watch:
    """One run of the loop. Afterwards `limit` and `cancelled` say whether and why it was ended early."""

    def __init__(
        self, channel: Channel, process: StarterProcess, confinement: Confinement, log: Log, relay: Relay
    ) -> None:
        self.limit: str | None = None
        self.cancelled = False
        self._channel = channel
        self._process = process
        self._confinement = confinement
        self._log = log
        self._relay = relay
        self._pressure = Pressure(confinement.refusals, now=time.monotonic())
        self._running = True
        self._connections: set[Connection] = set()
        self._selector = selectors.DefaultSelector()
        self._reading = False

    def run(self, listeners: Listeners | None, seconds: float) -> int:
        """Until the process has ended, nothing of the job is left, and all it said is on its way; its status.

        `seconds` is the time limit; no `listeners` for a job without plugins. Raises ChannelClosedError.
        """
        handle = os.pidfd_open(self._process.pid)
        deadline = time.monotonic() + seconds
        try:
            self._selector.register(self._channel, selectors.EVENT_READ, self._on_channel)
            self._selector.register(handle, selectors.EVENT_READ, self._on_exit)
            if listeners is not None and listeners.names is not None:
                self._selector.register(listeners.names, selectors.EVENT_READ, listeners.names.answer)
            self._read_job(listeners, wanted=True)
            while self._running:
                self._turn(listeners, deadline)
            self._selector.unregister(handle)
            status = self._process.exit_status()
            self._confinement.kill_all()
            self._drain(listeners)
        finally:
            os.close(handle)
            self._selector.close()
        return status

    def _turn(self, listeners: Listeners | None, deadline: float) -> None:
        now = time.monotonic()
        due = now + _TICK_SECONDS if self._log.due is None else self._log.due
        for key, _ in self._selector.select(max(0.0, min(_TICK_SECONDS, deadline - now, due - now))):
            key.data()
        if self._log.due is not None and time.monotonic() >= self._log.due:
            self._log.flush()
        self._channel.flush()
        self._read_job(listeners, wanted=self._channel.pending < HIGH_WATER)
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._channel.pending else 0)
        self._selector.modify(self._channel, mask, self._on_channel)
        self._confinement.reap(keep=self._process.pid)
        if self._running:
            self._enforce(deadline)

    def _enforce(self, deadline: float) -> None:
        now = time.monotonic()
        reasons = {
            "time": now >= deadline,
            "log": self._log.exceeded,
            "results": self._relay.exceeded,
        }
        limit = next((name for name, exceeded in reasons.items() if exceeded), self._pressure.lasting(now))
        if limit is not None:
            self._end(limit)

    def _drain(self, listeners: Listeners | None) -> None:
        """Take what the dead have written; all writers are gone, so every source ends."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        self._read_job(listeners, wanted=True)
        for listener, judge in self._pairs(listeners):
            for _ in range(_MAX_WAITING):
                self._on_listener(listener, judge)
        while (not self._log.ended or self._connections) and time.monotonic() < deadline:
            self._turn(listeners, deadline)

    def _pairs(self, listeners: Listeners | None) -> tuple[tuple[Listener, Judge], ...]:
        if listeners is None:
            return ()
        return (listeners.steps, judge_step), (listeners.tests, judge_test)

    def _read_job(self, listeners: Listeners | None, *, wanted: bool) -> None:
        """Listen to the job's side, or stop listening while the host is slow."""
        if wanted is self._reading:
            return
        self._reading = wanted
        if not wanted:
            descriptors = [self._log.fileno(), *(pair[0].fileno() for pair in self._pairs(listeners))]
            for descriptor in descriptors + [connection.fileno() for connection in self._connections]:
                if descriptor in self._selector.get_map():
                    self._selector.unregister(descriptor)
            return
        if not self._log.ended:
            self._selector.register(self._log, selectors.EVENT_READ, self._on_log)
        for listener, judge in self._pairs(listeners):
            self._selector.register(
                listener,
                selectors.EVENT_READ,
                lambda listener=listener, judge=judge: self._on_listener(listener, judge),
            )
        for connection in self._connections:
            self._register(connection)

    def _on_channel(self) -> None:
        self._channel.flush()
        if any(frame.type is FrameType.CANCEL for frame in self._channel.receive()) and self._running:
            self.cancelled = True
            self._end(None)

    def _on_exit(self) -> None:
        self._running = False

    def _on_log(self) -> None:
        self._log.read()
        if self._log.ended:
            self._selector.unregister(self._log)

    def _on_listener(self, listener: Listener, judge: Judge) -> None:
        connection = listener.accept()
        if connection is None:
            return
        if judge is judge_step and self._is_late():
            connection.close()
            self._relay.refused += 1
            return
        self._add(connection, judge)

    def _is_late(self) -> bool:
        """Whether code of the project may run; what tox said before that waits in its connection, if not read."""
        for connection in list(self._connections):
            self._on_connection(connection)
        return self._relay.sealed

    def _add(self, connection: socket.socket, judge: Judge) -> None:
        if not self._relay.has_room():
            connection.close()
            return
        reader = self._relay.connection(connection, judge)
        self._connections.add(reader)
        if self._reading:
            self._register(reader)

    def _register(self, connection: Connection) -> None:
        self._selector.register(
            connection, selectors.EVENT_READ, lambda connection=connection: self._on_connection(connection)
        )

    def _on_connection(self, connection: Connection) -> None:
        if connection not in self._connections:
            return  # read to its end meanwhile
        descriptor = connection.fileno()
        if not connection.read():
            self._selector.unregister(descriptor)
            self._connections.discard(connection)

    def _end(self, limit: str | None) -> None:
        self.limit = limit
        self._running = False
        self._confinement.kill_all(keep=self._process.pid)
