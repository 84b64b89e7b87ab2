"""One session of a person in a machine: what is typed goes in, what is shown comes out, until one side has enough.

Used by shell, with a machine that is leased. Both directions are bounded, and no end of the person's is waited for:
a terminal that stands still holds up the guest, not the limits.
"""

import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from farm_images.errors import MachineError
from farm_images.subunit_stream import Event
from farm_images.wire import ID_ERROR, ID_JOB, ID_SHELL, ID_SOURCE, ID_TOX, FrameType, encode_frame
from farm_scheduler.attachments import Attachments, read_job_end, text_of
from farm_scheduler.evidence import JobEnd
from farm_workers.leases import Lease, LeaseError
from farm_workers.person_terminal import PersonTerminal
from farm_workers.stream_reader import StreamReader

TURN_SECONDS = 0.25
PIECE_BYTES = 4096
"""Written at once: what a pipe that is ready takes without blocking (PIPE_BUF, pipe(7))."""

HELD_BYTES = 256 << 10
"""Bytes for one of the person's files from which on the machine is not read."""

STREAM_BYTES = 1 << 40
LOG_BYTES = 64 << 10
_OUTPUTS = {"terminal": 1, "stdout": 1, "stderr": 2}


class LimitError(MachineError):
    """The time for a shell is over, or nobody used it for too long."""

    code = "shell-limit"
    exit_code: ClassVar[int] = 124


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds: for all of it, and without a key or a character on a terminal."""

    seconds: float
    idle_seconds: float


class ShellSession:
    """The loop.

    Args:
        frames: the job and its source.
        say: told what the machine does until the shell is there.
        begun: called with the agent's description and the end of tox's log (empty if tox had its way), just before the
            shell has the terminal.
    """

    def __init__(
        self,
        lease: Lease,
        frames: Iterator[bytes],
        terminal: PersonTerminal,
        limits: Limits,
        *,
        say: Callable[[str], None],
        begun: Callable[[bytes, str], None],
    ) -> None:
        self._lease = lease
        self._frames = frames
        self._terminal = terminal
        self._limits = limits
        self._say = say
        self._begun = begun
        self._files = Attachments()
        self._log = bytearray()
        self._failed = False
        self._active = False
        self._end: JobEnd | None = None
        self._pending = memoryview(b"")
        self._typed: deque[bytes] = deque()
        self._typing = True
        self._held = {1: bytearray(), 2: bytearray()}
        self._since = self._used = time.monotonic()

    def run(self) -> JobEnd:
        """To the end of the shell or command; how that was.

        Raises:
            MachineError: the machine died or was taken back, the source is refused, or the agent failed.
            LimitError: a limit was reached.
            BrokenPipeError: nobody reads what is written.
        """
        self._lease.channel.setblocking(False)
        self._pending = memoryview(next(self._frames, b""))
        waker, wake = os.pipe()
        os.set_blocking(waker, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGWINCH, lambda *_: None)
        before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        try:
            with StreamReader(self._lease.channel, None, STREAM_BYTES) as reader:
                while self._end is None or any(self._held.values()):
                    self._turn(reader, waker)
        finally:
            signal.set_wakeup_fd(before)
            os.close(waker)
            os.close(wake)
        return self._end

    def _turn(self, reader: StreamReader, waker: int) -> None:
        channel, holder = self._lease.channel, self._lease.connection
        room = max(map(len, self._held.values())) < HELD_BYTES
        wanted: list[int | socket.socket] = [holder, waker]
        wanted += [channel] * (room and not reader.ended)
        wanted += [0] * (self._active and self._typing and not self._typed)
        taking: list[int | socket.socket] = [number for number, held in self._held.items() if held]
        taking += [channel] * bool(self._pending or self._typed)
        readable, writable, _ = select.select(wanted, taking, [], TURN_SECONDS)
        for number in (1, 2):
            if number in writable:
                del self._held[number][: os.write(number, self._held[number][:PIECE_BYTES])]
        if waker in readable:
            os.read(waker, 512)
            self._resize()
        if 0 in readable:
            self._type()
        if channel in writable:
            self._send()
        if channel in readable:
            for event in reader.read():
                self._take(event)
        self._check(reader, gone=holder in readable)

    def _check(self, reader: StreamReader, *, gone: bool) -> None:
        moment = time.monotonic()
        if moment - self._since > self._limits.seconds:
            raise LimitError("the time for the shell is over, and its machine is destroyed")
        if self._end is not None:
            return
        if gone:
            self._taken_back()
        if reader.ended:
            raise MachineError("the machine of the shell died; ask for another one")
        if self._active and self._terminal.is_one and moment - self._used > self._limits.idle_seconds:
            raise LimitError("nobody used the shell for too long, and its machine is destroyed")

    def _taken_back(self) -> None:
        try:
            self._lease.check()
        except LeaseError as error:
            sentence = (
                "the farm took the machine of the shell back, as its service ended; ask for another one"
            )
            raise MachineError(sentence) from error

    def _type(self) -> None:
        data = os.read(0, 1 << 16)
        self._used = time.monotonic()
        self._typing = bool(data)
        self._typed.append(encode_frame(FrameType.INPUT, data))

    def _resize(self) -> None:
        if self._active and self._terminal.is_one:
            self._typed.append(encode_frame(FrameType.RESIZE, self._terminal.size.payload()))

    def _send(self) -> None:
        if not self._pending:
            self._pending = memoryview(self._typed.popleft())
        try:
            self._pending = self._pending[self._lease.channel.send(self._pending) :]
        except BlockingIOError:
            return
        except OSError:
            self._pending = self._pending[:0]  # the reader sees the end
        if not self._pending:
            self._pending = memoryview(next(self._frames, b""))

    def _take(self, event: Event) -> None:
        if self._end is not None or event.test_id is None or event.runnable:
            return
        if event.file_name is not None and event.file_bytes is not None:
            self._take_file(event.test_id, event.file_name, event.file_bytes)
        if event.status is not None:
            self._take_status(event)

    def _take_file(self, test_id: str, name: str, content: bytes) -> None:
        if test_id == ID_SHELL and name in _OUTPUTS:
            self._used = time.monotonic()
            self._held[_OUTPUTS[name]] += content
        elif test_id == ID_TOX and name == "log":
            self._log = (self._log + content)[-LOG_BYTES:]
        elif name in {"session.json", "job.json", "reason", "text"}:
            self._files.add((None, test_id, name), content)

    def _take_status(self, event: Event) -> None:
        test_id = str(event.test_id)
        if test_id == ID_JOB:
            self._finish(read_job_end(self._files.content((None, ID_JOB, "job.json"))))
        elif test_id == ID_ERROR and event.status == "fail" and not self._active:
            text = text_of(self._files.content((None, ID_ERROR, "text")), 300)
            raise MachineError(f"the farm's own agent failed: {' '.join(text.split())}")
        elif test_id == ID_SHELL and event.status == "inprogress":
            tail = text_of(bytes(self._log), LOG_BYTES) if self._failed else ""
            self._begun(self._files.content((None, ID_SHELL, "session.json")), tail)
            self._active, self._used = True, time.monotonic()
            self._terminal.make_raw()
            self._resize()
        elif test_id == ID_SOURCE and event.status == "fail":
            reason = text_of(self._files.content((None, ID_SOURCE, "reason")), 300)
            raise MachineError(f"there is no shell without a source: {reason}")
        elif test_id == ID_TOX and event.status == "fail":
            self._failed = True
        elif event.status == "inprogress":
            self._say(" ".join(filter(None, (event.route_code, test_id.removeprefix("farm:")))))

    def _finish(self, end: JobEnd) -> None:
        if not self._active:
            raise MachineError("the machine ended the job before there was a shell; ask for another one")
        self._end = end


def to_stderr(line: str) -> None:
    """One line for the person; stdout is the command's."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
