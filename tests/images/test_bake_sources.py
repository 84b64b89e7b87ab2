"""The bake's inputs: the host's mirrors, the tools' locks, and the settings that a machine finds."""

import importlib.metadata
import re
from pathlib import Path

import pytest

from farm_images import guest_tools
from farm_images.apt_sources import host_sources
from farm_images.guest_configuration import write_configuration
from farm_images.recipes import load_recipe

STANZA = """\
# the mirror of the house
Types: deb deb-src
URIs: https://mirror.example/debian
Suites: bookworm bookworm-updates
# Suites: sid
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example/old
Suites: bookworm
Components: main
Enabled: no
"""


def test_both_formats_of_sources_are_read(tmp_path: Path) -> None:
    """Mirrors of the suite come from one-line entries and from stanzas; disabled and foreign ones do not."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(STANZA, encoding="utf-8")
    (tmp_path / "sources.list").write_text(
        "deb [arch=amd64] http://security.example/debian-security bookworm-security main # daily\n"
        "deb-src http://mirror.example/debian bookworm main\n"
        "deb file:/srv/debian bookworm main\n"
        "deb https://other.example/apt stable main\n",
        encoding="utf-8",
    )
    assert host_sources("bookworm", tmp_path) == [
        "deb http://security.example/debian-security bookworm-security main",
        "deb https://mirror.example/debian bookworm main",
        "deb https://mirror.example/debian bookworm-updates main",
    ]


def test_another_suite_has_no_sources(tmp_path: Path) -> None:
    """A host of another suite leaves the choice of the mirror to mmdebstrap."""
    (tmp_path / "sources.list").write_text("deb http://mirror.example/debian trixie main\n", encoding="utf-8")
    assert host_sources("bookworm", tmp_path) == []


@pytest.mark.parametrize("tool", guest_tools.tools(), ids=lambda tool: tool.name)
def test_every_pin_of_a_lock_has_hashes(tool: guest_tools.Tool) -> None:
    """Each requirement of a lock file is one version with at least one hash."""
    requirements = re.split(r"\n(?=[a-z])", re.sub(r"^\s*#.*\n?", "", tool.lock, flags=re.MULTILINE).strip())
    assert all("==" in text and "--hash=sha256:" in text for text in requirements)
    assert len(requirements) == len(tool.versions())


def test_locks_hold_the_tools_that_are_needed() -> None:
    """Tox 4, for Python 2.7 tox 3.28.0 with virtualenv 20.21.1, and the uv that the host has are pinned."""
    versions = {name: version for tool in guest_tools.tools() for name, version in tool.versions().items()}
    assert versions["tox/tox"].startswith("4.")
    assert (versions["tox3/tox"], versions["tox3/virtualenv"]) == ("3.28.0", "20.21.1")
    assert "tox3/setuptools" in versions
    assert versions["uv/uv"] == importlib.metadata.version("uv")


def test_configuration_knows_one_address(tmp_path: Path) -> None:
    """Pip and uv are told the index proxy as a machine sees it, and no other address."""
    write_configuration(tmp_path, load_recipe("debian-12"))
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "etc").rglob("*") if path.is_file()]
    assert set(re.findall(r"https?://\S+?/", "".join(texts))) == {"http://10.0.2.2:3141/"}
    assert (tmp_path / "etc/systemd/system/getty.target").readlink() == Path("/dev/null")
