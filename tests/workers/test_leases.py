"""What is asked of the holder, on the wire."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_images.machine import Bootable
from farm_workers.leases import LeaseError, LeaseRequest, lease

IMAGE = Bootable(
    digest="d",
    disk=Path("/i/disk.qcow2"),
    kernel=Path("/i/k"),
    initrd=Path("/i/r"),
    command_line="root=/dev/vda",
)


def test_request_survives_the_wire() -> None:
    """A request read from its own line is the same request."""
    request = LeaseRequest(image=IMAGE, agent="a", memory_mib=512, vcpus=2, template=False)
    assert LeaseRequest.parse(request.line()) == request


@pytest.mark.parametrize("line", [b"", b"[]\n", b'{"image": 1}\n', b'{"image": {}}\n', b"\xff\n"])
def test_words_that_are_no_request_are_refused(line: bytes) -> None:
    """Anything else is a LeaseError and never another exception."""
    with pytest.raises(LeaseError):
        LeaseRequest.parse(line)


def test_holder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Without a holder the lease fails with one sentence."""
    request = LeaseRequest(image=IMAGE, agent="a", memory_mib=512, vcpus=2)
    with pytest.raises(LeaseError, match="holder"), lease(tmp_path / "no.sock", request, timeout=1):
        pass


@pytest.fixture
def silent_holder(tmp_path: Path) -> Iterator[Path]:
    """A holder that takes requests and never gives a machine."""
    path = tmp_path / "holder.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield path


def test_who_waits_may_give_up(silent_holder: Path) -> None:
    """While a machine is made its asker is asked again and again, and what it raises ends the wait."""
    said: list[str] = []

    def progress(sentence: str) -> None:
        said.append(sentence)
        if len(said) == 2:
            raise LeaseError("not wanted any more")

    request = LeaseRequest(image=IMAGE, agent="a", memory_mib=512, vcpus=2)
    began = time.monotonic()
    with (
        pytest.raises(LeaseError, match="not wanted"),
        lease(silent_holder, request, timeout=60, progress=progress),
    ):
        pass
    assert time.monotonic() - began < 10
    assert said == ["waiting for a machine"] * 2


def test_a_holder_that_gives_nothing_is_not_waited_for_for_ever(silent_holder: Path) -> None:
    """The time for a lease is kept, however often its asker is asked meanwhile."""
    request = LeaseRequest(image=IMAGE, agent="a", memory_mib=512, vcpus=2)
    with pytest.raises(LeaseError, match="within 1 s"), lease(silent_holder, request, timeout=1):
        pass
