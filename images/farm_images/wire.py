"""The wire between host and guest: frames down, one subunit stream up, and the places both ends know.

Used by the machine and the job's runner on the host, and by the agent in the guest. Standard library only,
as it is part of the agent's archive. It never touches a socket: the caller reads and writes the bytes.

Host to guest is a sequence of frames: type (one byte), length (four bytes, big endian), payload. Guest to
host is one subunit v2 stream (`subunit_stream`) and nothing else. A HELLO may come again at any time while
no job runs, and a machine may have been copied between two of them.
"""

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Final, Literal

from farm_images.errors import WireError
from farm_images.frame_fields import Fields
from farm_images.installer_frame import InstallerFrame

CHANNEL: Final = "org.wheelfarm.agent"
"""Name of the virtio-serial port; in the guest /dev/virtio-ports/NAME."""
GUEST_ADDRESS: Final = "10.0.2.15/24"
PROXY_URL: Final = "http://10.0.2.2:3141"
"""The package index proxy, the one thing that a guest reaches."""
JOB_HOME: Final = "/home/job"
AGENT_PATH: Final = "/opt/wheelfarm/agent.pyz"
TOX_PLUGINS_PATH: Final = "/opt/wheelfarm/plugins/tox"
PYTEST_PLUGINS_PATH: Final = "/opt/wheelfarm/plugins/pytest"
INTERPRETERS_PATH: Final = "/opt/python/bin"

ID_READY: Final = "farm:ready"
ID_SOURCE: Final = "farm:source"
ID_PACKAGES: Final = "farm:system-packages"
ID_TOX: Final = "farm:tox"
ID_CREATE: Final = "farm:create"
ID_PACKAGE: Final = "farm:package"
ID_INSTALL: Final = "farm:install"
ID_PROVISION: Final = "farm:provision"
ID_COMMANDS: Final = "farm:commands"
ID_COMMAND: Final = "farm:command"
ID_SHELL: Final = "farm:shell"
ID_INTERPRETER: Final = "farm:interpreter"
ID_NETWORK: Final = "farm:network"
ID_ERROR: Final = "farm:error"
ID_JOB: Final = "farm:job"

MAX_DATA: Final = 1 << 20
"""Bytes of the longest payload of any frame."""
MAX_CHUNK: Final = 256 << 10
"""Bytes of the longest attachment chunk that a guest sends."""

MAX_SIZE: Final = 10_000
"""Rows or columns of the largest terminal."""

_HEADER: Final = struct.Struct(">BI")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]{0,126}[a-z0-9+.]")
"""The name of a Debian package (Debian Policy, 5.6.1): no option, version, path or task has this form.

apt takes a minus at the end for "remove"."""
_HOME_PATH: Final = re.compile(rf"{JOB_HOME}(/(?!\.\.?(/|$))[^/]+)+")


class FrameType(IntEnum):
    """The first byte of a frame."""

    HELLO = 1
    JOB = 2
    DATA = 3
    CANCEL = 4
    INPUT = 5
    RESIZE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame from the host."""

    type: FrameType
    payload: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloFrame:
    """What a guest needs to be itself and not its template: the time, entropy, a word to answer with.

    Attributes:
        time: seconds since 1970, UTC.
        entropy: 64 random bytes from the host.
        nonce: comes back as the only tag of the `farm:ready` packet.
    """

    time: float
    entropy: bytes = field(repr=False)
    nonce: str

    def payload(self) -> bytes:
        """The JSON of this frame."""
        return _dump({"time": self.time, "entropy": self.entropy.hex(), "nonce": self.nonce})

    @classmethod
    def parse(cls, payload: bytes) -> "HelloFrame":
        """Raises WireError."""
        fields = Fields(payload, "hello")
        seconds = fields.number("time", 0, 2**32)
        try:
            entropy = bytes.fromhex(fields.text("entropy", 128))
        except ValueError as error:
            raise WireError("The entropy of a HELLO must be hexadecimal.") from error
        hello = cls(time=seconds, entropy=entropy, nonce=fields.text("nonce", 100, _NAME))
        fields.done()
        return hello


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFrame:
    """Which bytes follow the JOB frame as DATA: a tar.gz with one top folder, the project root."""

    bytes: int
    sha256: str

    @classmethod
    def _read(cls, fields: "Fields") -> "SourceFrame":
        length, sha256 = int(fields.number("bytes", 1, 2**40)), fields.text("sha256", 64, _SHA256)
        fields.done()
        return cls(bytes=length, sha256=sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsFrame:
    """What a job may use: seconds for all of tox, bytes of log."""

    seconds: float = 1800
    log_bytes: int = 64 << 20

    @classmethod
    def _read(cls, fields: "Fields") -> "LimitsFrame":
        seconds, log_bytes = fields.number("seconds", 0.1, 7 * 86400), fields.number("log_bytes", 1024, 2**40)
        fields.done()
        return cls(seconds=seconds, log_bytes=int(log_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSize:
    """How large a terminal is, in characters; the payload of a RESIZE frame."""

    rows: int
    columns: int

    def payload(self) -> bytes:
        """The JSON of this frame."""
        return _dump(asdict(self))

    @classmethod
    def parse(cls, payload: bytes) -> "TerminalSize":
        """Raises WireError."""
        return cls._read(Fields(payload, "resize"))

    @classmethod
    def _read(cls, fields: Fields) -> "TerminalSize":
        rows, columns = fields.number("rows", 0, MAX_SIZE), fields.number("columns", 0, MAX_SIZE)
        fields.done()
        return cls(rows=int(rows), columns=int(columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFrame:
    """What a person does in the source once its environments are made: a shell, or one command.

    INPUT frames are what the person types, or the command's stdin; an empty one is its end. What comes back are
    attachments of `farm:shell`: `terminal`, or without one `stdout` and `stderr`.

    Attributes:
        argv: the command; empty for a shell.
        terminal: the size of the terminal that it gets; None for pipes.
        name: the kind of that terminal (TERM).
    """

    argv: tuple[str, ...] = ()
    terminal: TerminalSize | None = None
    name: str = "dumb"

    @classmethod
    def _read(cls, fields: Fields) -> "SessionFrame":
        session = cls(
            argv=fields.texts("argv", 1000, 100_000),
            terminal=TerminalSize._read(fields.inner("terminal")) if fields.present("terminal") else None,
            name=fields.text("name", 100, _NAME),
        )
        fields.done()
        return session


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFrame:
    """Run these tox environments of this source, in this order.

    Attributes:
        job: id of the job, for the guest's log only.
        tool: which tox.
        environments: names for `tox -e`.
        inferred: text of a tox.ini for a project that has no tox configuration.
        env: added to the environment of the tox process.
        packages: Debian packages that are installed first.
        session: make the environments only, and then give them to a person.
        installer: None to leave what is installed to the project's settings.
    """

    kind: ClassVar[Literal["tox"]] = "tox"
    job: str
    tool: Literal["tox", "tox3"] = "tox"
    environments: tuple[str, ...]
    inferred: str | None = None
    source: SourceFrame
    limits: LimitsFrame = LimitsFrame()
    env: dict[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    session: SessionFrame | None = None
    installer: InstallerFrame | None = None

    def payload(self) -> bytes:
        """The JSON of this frame."""
        return _dump({"kind": self.kind, **asdict(self)})

    @classmethod
    def _read(cls, fields: "Fields") -> "JobFrame":
        job = cls(
            job=fields.text("job", 100, _NAME),
            tool=fields.one_of("tool", "tox", "tox3"),
            environments=fields.texts("environments", 1000, 100, _NAME),
            inferred=fields.text("inferred", 256 << 10) if fields.present("inferred") else None,
            source=SourceFrame._read(fields.inner("source")),
            limits=LimitsFrame._read(fields.inner("limits")),
            env=fields.mapping("env", 100, 8192),
            packages=fields.texts("packages", 200, 128, _PACKAGE),
            session=SessionFrame._read(fields.inner("session")) if fields.present("session") else None,
            installer=InstallerFrame.read(fields.inner("installer")) if fields.present("installer") else None,
        )
        if not job.environments:
            raise WireError("A job names at least one tox environment.")
        fields.done()
        return job


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFrame:
    """Run one command as the job's user, as that user would at a shell: nothing of ours is around it.

    Attributes:
        job: id of the job, for the guest's log only.
        argv: the command; its first word is looked up in the guest's PATH.
        source: unpacked first, and the folder in which the command runs; None for the user's home.
        env: added to the user's plain environment.
        collect: files of /home/job to bring out afterwards, as absolute paths with `*`, `?`, `[]` and `**`.
    """

    kind: ClassVar[Literal["command"]] = "command"
    job: str
    argv: tuple[str, ...]
    source: SourceFrame | None = None
    limits: LimitsFrame = LimitsFrame()
    env: dict[str, str] = field(default_factory=dict)
    collect: tuple[str, ...] = ()

    def payload(self) -> bytes:
        """The JSON of this frame."""
        return _dump({"kind": self.kind, **asdict(self)})

    @classmethod
    def _read(cls, fields: "Fields") -> "CommandFrame":
        command = cls(
            job=fields.text("job", 100, _NAME),
            argv=fields.texts("argv", 1000, 100_000),
            source=SourceFrame._read(fields.inner("source")) if fields.present("source") else None,
            limits=LimitsFrame._read(fields.inner("limits")),
            env=fields.mapping("env", 100, 8192),
            collect=fields.texts("collect", 100, 4096, _HOME_PATH),
        )
        if not command.argv:
            raise WireError("A command has at least one word.")
        fields.done()
        return command


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFrame:
    """Start each of these interpreters and say what it is."""

    kind: ClassVar[Literal["probe"]] = "probe"
    job: str
    interpreters: tuple[str, ...]

    def payload(self) -> bytes:
        """The JSON of this frame."""
        return _dump({"kind": self.kind, **asdict(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmFrame:
    """Fill the caches that tox needs for these interpreters; for a machine that becomes a template."""

    kind: ClassVar[Literal["warm"]] = "warm"
    job: str
    interpreters: tuple[str, ...]

    def payload(self) -> bytes:
        """The JSON of this frame."""
        return _dump({"kind": self.kind, **asdict(self)})


AnyJob = JobFrame | CommandFrame | ProbeFrame | WarmFrame
"""What the payload of a JOB frame can be; only the first two have a source."""


def parse_job(payload: bytes) -> AnyJob:
    """The payload of a JOB frame, by its kind. Raises WireError."""
    fields = Fields(payload, "job")
    kind = fields.one_of("kind", "tox", "command", "probe", "warm")
    if kind in {"tox", "command"}:
        return (JobFrame if kind == "tox" else CommandFrame)._read(fields)
    job, interpreters = fields.text("job", 100, _NAME), fields.texts("interpreters", 100, 4096)
    fields.done()
    return (ProbeFrame if kind == "probe" else WarmFrame)(job=job, interpreters=interpreters)


def encode_frame(type_: FrameType, payload: bytes = b"") -> bytes:
    """The bytes of one frame. Raises WireError if the payload is over 1 MiB."""
    if len(payload) > MAX_DATA:
        raise WireError(f"A payload of {len(payload)} bytes is over {MAX_DATA}.", bytes=len(payload))
    return _HEADER.pack(type_, len(payload)) + payload


def data_frames(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The DATA frames of a source read in chunks of any size, with the empty one that ends it."""
    for chunk in chunks:
        for start in range(0, len(chunk), MAX_DATA):
            yield encode_frame(FrameType.DATA, chunk[start : start + MAX_DATA])
    yield encode_frame(FrameType.DATA)


class FrameDecoder:
    """An incremental parser of the host's frames. It holds one frame at most."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete.

        Raises:
            WireError: an unknown type or a payload over 1 MiB; the stream cannot be read any further.
        """
        self._buffer += data
        frames: list[Frame] = []
        position = 0
        while len(self._buffer) - position >= _HEADER.size:
            number, length = _HEADER.unpack_from(self._buffer, position)
            if length > MAX_DATA or number not in FrameType.__members__.values():
                raise WireError(f"Frame type {number} with {length} bytes is not of this protocol.")
            end = position + _HEADER.size + length
            if end > len(self._buffer):
                break
            payload = bytes(memoryview(self._buffer)[position + _HEADER.size : end])
            frames.append(Frame(type=FrameType(number), payload=payload))
            position = end
        del self._buffer[:position]
        return frames


def _dump(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
