"""What is asked of the holder, on the wire."""

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
