"""A person and a process: what is typed goes in, what is written comes out, in one loop until the process ends.

Used by `session`. It never holds more than a bounded piece of either side, and never reads from the process what the
host does not take.
"""

import contextlib
import fcntl
import os
import select
import struct
import termios
import time
from dataclasses import dataclass, field

from farm_images.agent.channel import HIGH_WATER, Channel
from farm_images.agent.confinement import Confinement
from farm_images.agent.job_user import JobUser
from farm_images.agent.packets import Packets
from farm_images.agent.starter_process import StarterProcess
from farm_images.errors import WireError
from farm_images.wire import ID_SHELL, Frame, FrameType, TerminalSize

_BINARY = "application/octet-stream"
_READ_BYTES = 1 << 16
_TICK_MILLISECONDS = 1000
_DRAIN_SECONDS = 10.0


@dataclass(slots=True, kw_only=True)
class Ends:
    """The files between agent and process.

    Attributes:
        theirs: stdin, stdout and stderr of the process; one file three times for a terminal.
        stdin: where what is typed goes; None once it is closed.
        outputs: what the process writes, by the name of its attachment.
        terminal: the agent's end of the terminal, if it is one.
    """

    theirs: tuple[int, int, int]
    stdin: int | None
    outputs: dict[int, str]
    terminal: int | None = None
    _open: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Nothing of ours blocks."""
        self._open = {*self.theirs, *self.outputs} | ({self.stdin} if self.stdin is not None else set())
        for descriptor in self._open - set(self.theirs):
            os.set_blocking(descriptor, False)

    def resize(self, size: TerminalSize) -> None:
        """The person's terminal has another size now; the kernel tells the process."""
        if self.terminal is not None:
            fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))

    def close_stdin(self) -> None:
        """The end of what is typed. A terminal stays open: it ends with its process."""
        if self.stdin is not None and self.terminal is None:
            self._close({self.stdin})
        self.stdin = None

    def close_theirs(self) -> None:
        """Let go of the far ends, once the process has them."""
        self._close(set(self.theirs))

    def close(self) -> None:
        """Let go of everything; a second time does nothing."""
        self._close(set(self._open))

    def _close(self, descriptors: set[int]) -> None:
        for descriptor in descriptors & self._open:
            self._open.discard(descriptor)
            os.close(descriptor)


def terminal(size: TerminalSize, user: JobUser) -> Ends:
    """A terminal of this size that belongs to the job's user. Raises OSError."""
    ours, theirs = os.openpty()
    if user.drop:
        os.fchown(theirs, user.uid, user.gid)
    ends = Ends(theirs=(theirs, theirs, theirs), stdin=ours, outputs={ours: "terminal"}, terminal=ours)
    ends.resize(size)
    return ends


def pipes() -> Ends:
    """Three pipes. Raises OSError."""
    (stdin, ours), (out, stdout), (errors, stderr) = os.pipe(), os.pipe(), os.pipe()
    return Ends(theirs=(stdin, stdout, stderr), stdin=ours, outputs={out: "stdout", errors: "stderr"})


class Dialogue:
    """One run of the loop. Afterwards `cancelled` says whether the host ended it."""

    def __init__(
        self,
        channel: Channel,
        packets: Packets,
        process: StarterProcess,
        confinement: Confinement,
        ends: Ends,
    ) -> None:
        self.cancelled = False
        self._channel = channel
        self._packets = packets
        self._process = process
        self._confinement = confinement
        self._ends = ends
        self._typed = bytearray()
        self._typed_all = False
        self._outputs = dict(ends.outputs)

    def run(self) -> int:
        """Until the process has ended, nothing of it is left, and all it wrote is on its way; its status.

        Raises ChannelClosedError.
        """
        handle = os.pidfd_open(self._process.pid)
        try:
            while not self._turn(handle):
                self._confinement.reap(keep=self._process.pid)
            if self.cancelled:
                self._confinement.kill_all(keep=self._process.pid)
            status = self._process.exit_status()
        finally:
            os.close(handle)
        self._confinement.kill_all()
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self._outputs and time.monotonic() < deadline:
            self._turn(None)
        return status

    def _turn(self, handle: int | None) -> bool:
        """Wait for something and move it; True once the process has ended or is not wanted."""
        poll = select.poll()
        listening = select.POLLIN if len(self._typed) < HIGH_WATER else 0
        poll.register(self._channel, listening | (select.POLLOUT if self._channel.pending else 0))
        wanted = dict.fromkeys(self._outputs if self._channel.pending < HIGH_WATER else (), select.POLLIN)
        if self._typed and self._ends.stdin is not None:
            wanted[self._ends.stdin] = wanted.get(self._ends.stdin, 0) | select.POLLOUT
        if handle is not None:
            wanted[handle] = select.POLLIN
        for descriptor, mask in wanted.items():
            poll.register(descriptor, mask)
        ready = dict(poll.poll(_TICK_MILLISECONDS))
        self._channel.flush()
        if ready.get(self._channel.fileno(), 0) & ~select.POLLOUT and listening:
            self._hear()
        self._write()
        for descriptor in set(self._outputs) & set(ready):
            self._read(descriptor)
        self._channel.flush()
        return self.cancelled or (handle is not None and handle in ready)

    def _hear(self) -> None:
        for frame in self._channel.receive():
            self._obey(frame)

    def _obey(self, frame: Frame) -> None:
        if frame.type is FrameType.CANCEL:
            self.cancelled = True
        elif frame.type is FrameType.RESIZE:
            # A size that is none changes nothing.
            with contextlib.suppress(WireError):
                self._ends.resize(TerminalSize.parse(frame.payload))
        elif frame.type is FrameType.INPUT:
            self._typed += frame.payload
            self._typed_all = self._typed_all or not frame.payload

    def _write(self) -> None:
        if self._ends.stdin is None:
            self._typed.clear()
            return
        try:
            while self._typed:
                del self._typed[: os.write(self._ends.stdin, memoryview(self._typed)[:_READ_BYTES])]
        except BlockingIOError:
            return
        except OSError:  # nobody reads it any more
            self._typed.clear()
            self._ends.close_stdin()
        if self._typed_all:
            self._ends.close_stdin()

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # EIO: nobody has the terminal open any more
            data = b""
        if data:
            self._packets.attach(ID_SHELL, self._outputs[descriptor], data, _BINARY, eof=False)
        else:
            del self._outputs[descriptor]
