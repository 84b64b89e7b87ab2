"""The agent's sources for apt, and the names that it may be given."""

from pathlib import Path

import pytest

from farm_images.agent.system_packages import archive_sources
from farm_images.errors import WireError
from farm_images.wire import JobFrame, SourceFrame, parse_job


def guest(root: Path, suite: str, sources: str) -> Path:
    """A tree with what the agent reads of an image."""
    for name, text in {
        "etc/os-release": f'PRETTY_NAME="Debian"\nVERSION_CODENAME={suite}\n',
        "etc/apt/sources.list": sources,
        "usr/share/keyrings/debian-archive-keyring.gpg": "",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_suites_of_the_image_come_from_the_proxy(tmp_path: Path) -> None:
    """Each suite that the image was made of is named once, at the proxy's address and with Debian's keys."""
    lines = "deb http://a/debian trixie main\ndeb http://b/x trixie main\ndeb http://s/ trixie-security main contrib\n"
    root = guest(tmp_path, "trixie", lines)
    key = f"[signed-by={root}/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert archive_sources(root) == [
        f"deb {key} http://10.0.2.2:3141/debian trixie main",
        f"deb {key} http://10.0.2.2:3141/debian-security trixie-security main",
    ]


def test_an_image_without_sources_has_its_suite(tmp_path: Path) -> None:
    """An image that names no source gets its suite alone."""
    (line,) = archive_sources(guest(tmp_path, "forky", ""))
    assert line.endswith("http://10.0.2.2:3141/debian forky main")


@pytest.mark.parametrize("name", ["-o", "a=1", "a/sid", "./a", "a:b", "a-", "a b", "a*", "A", "a"])
def test_the_wire_takes_names_only(name: str) -> None:
    """A frame with anything else than a package's name is refused by the agent."""
    frame = JobFrame(
        job="j", environments=("one",), source=SourceFrame(bytes=1, sha256="0" * 64), packages=("g++", name)
    )
    with pytest.raises(WireError, match="packages"):
        parse_job(frame.payload())
