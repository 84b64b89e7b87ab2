"""The wire: frames come out as they went in, and what is not of the protocol is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_images.errors import WireError
from farm_images.installer_frame import InstallerFrame
from farm_images.wire import (
    AnyJob,
    CommandFrame,
    Frame,
    FrameDecoder,
    FrameType,
    HelloFrame,
    JobFrame,
    ProbeFrame,
    SourceFrame,
    data_frames,
    encode_frame,
    parse_job,
)

JOB = JobFrame(
    job="j-1", environments=("py312",), source=SourceFrame(bytes=5, sha256="a" * 64), env={"CI": "1"}
)

INSTALLER = InstallerFrame(
    name="constraints",
    constraints=("requirements/c.txt",),
    texts=("six==1.17.0\n",),
    cutoff="2026-02-01T00:00:00+00:00",
)

COMMAND = CommandFrame(job="j-2", argv=("ls", "-a"), collect=("/home/job/a/**/*.xml",))


@given(
    st.lists(st.builds(Frame, type=st.sampled_from(FrameType), payload=st.binary(max_size=99))),
    st.integers(1, 50),
)
def test_frames_survive_any_cut(frames: list[Frame], size: int) -> None:
    """Frames come out whole and in order whatever the sizes in which their bytes arrive."""
    stream = b"".join(encode_frame(frame.type, frame.payload) for frame in frames)
    decoder = FrameDecoder()
    read = [f for start in range(0, len(stream), size) for f in decoder.feed(stream[start : start + size])]
    assert read == frames


@pytest.mark.parametrize("junk", [b"\0\0\0\0\0", b"\7\0\0\0\0", b"\1\0\x10\0\1"], ids=["0", "7", "long"])
def test_other_protocols_are_refused(junk: bytes) -> None:
    """An unknown type or a payload over its bound is an error at once, not a wait for its bytes."""
    with pytest.raises(WireError):
        FrameDecoder().feed(junk)


def test_a_source_ends_with_an_empty_frame() -> None:
    """Long chunks are cut to the bound of a frame and the end is an empty one."""
    chunks = [b"x" * (3 << 20), b"", b"y"]
    frames = FrameDecoder().feed(b"".join(data_frames(iter(chunks))))
    assert b"".join(frame.payload for frame in frames) == b"".join(chunks)
    assert [len(frame.payload) for frame in frames][-2:] == [1, 0]


@pytest.mark.parametrize(
    "job",
    [
        JOB,
        replace(JOB, installer=INSTALLER),
        COMMAND,
        ProbeFrame(job="p", interpreters=("/usr/bin/python3.11",)),
    ],
    ids=lambda job: job.kind,
)
def test_jobs_survive_the_wire(job: AnyJob) -> None:
    """A job is the same on both ends."""
    assert parse_job(job.payload()) == job


def test_hello_survives_the_wire() -> None:
    """A HELLO is the same on both ends."""
    hello = HelloFrame(time=1.5, entropy=b"e" * 64, nonce="n1")
    assert HelloFrame.parse(hello.payload()) == hello


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "x"},
        {"job": "a b"},
        {"job": 3},
        {"tool": "tox5"},
        {"environments": []},
        {"environments": ["-c/etc"]},
        {"environments": ["a,b"]},
        {"source": {"bytes": 5}},
        {"source": {"bytes": True, "sha256": "a" * 64}},
        {"source": {"bytes": 5, "sha256": "a" * 64, "url": "x"}},
        {"limits": {"seconds": float("nan"), "log_bytes": 9999}},
        {"env": {"A=B": "x"}},
        {"env": {"A": "x\0"}},
        {"surprise": 1},
        *(
            {"installer": {"name": "latest", "constraints": [], "texts": [], "cutoff": None} | change}
            for change in (
                {"name": "project"},
                {"name": "pip"},
                {"constraints": ["/etc/passwd"]},
                {"constraints": ["-r"]},
                {"constraints": ["a\nb"]},
                {"texts": ["\0"]},
                {"texts": "six"},
                {"cutoff": "soon"},
                {"surprise": 1},
            )
        ),
        {"installer": "latest"},
    ],
    ids=str,
)
def test_a_job_is_read_strictly(change: dict[str, Any]) -> None:
    """A field that is unknown, missing, of the wrong type or out of its bounds refuses the whole job."""
    with pytest.raises(WireError):
        parse_job(json.dumps(json.loads(JOB.payload()) | change).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"argv": []},
        {"argv": "ls"},
        {"source": {"bytes": 5}},
        {"collect": ["/etc/shadow"]},
        {"collect": ["/home/job"]},
        {"collect": ["/home/job/a/../../b"]},
        {"collect": ["/home/jobs/a"]},
        {"collect": ["a"]},
        {"tool": "tox"},
    ],
    ids=str,
)
def test_a_command_is_read_strictly(change: dict[str, Any]) -> None:
    """A command without words, or one that asks for files outside the user's home, is refused."""
    with pytest.raises(WireError):
        parse_job(json.dumps(json.loads(COMMAND.payload()) | change).encode())


@pytest.mark.parametrize("payload", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"kind":"tox"}'])
def test_what_is_no_job(payload: bytes) -> None:
    """Bytes that are no JSON object of a job are refused with the farm's own error."""
    with pytest.raises(WireError):
        parse_job(payload)
