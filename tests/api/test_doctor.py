"""`wheelfarm doctor`."""

import subprocess

import pytest

from farm_cli import checks
from farm_cli.checks import PROGRAMS, Level
from farm_cli.doctor import _image_finding, line
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image


def test_every_package_of_the_doctor_is_installed_by_farm(root):
    """`./farm` installs whatever the doctor may find missing."""
    text = (root / "farm").read_text("utf-8")
    assert [package for package in PROGRAMS.values() if f" {package}" not in text.replace("\n", " ")] == []


def test_a_missing_program_names_the_command(monkeypatch, tmp_path):
    """Without QEMU on the machine the doctor says what to install."""
    monkeypatch.setattr(checks, "PROGRAMS", {"no-such-program": "qemu-system-x86"})
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = checks.check_packages()
    assert finding.level is Level.FAIL
    assert "apt-get install --no-install-recommends qemu-system-x86" in finding.advice


def test_a_full_disk_fails(monkeypatch, settings):
    """Less room than an image needs is a failure, with what to do."""
    monkeypatch.setattr(checks, "DISK_FAIL", 1 << 60)
    finding = checks.check_disk(settings)
    assert finding.level is Level.FAIL
    assert "WHEELFARM_HOME" in finding.advice


def test_redis_is_really_started(settings):
    """The check of Redis starts one, and leaves none."""
    del settings
    before = redis_servers()
    assert checks.check_redis().level is Level.OK
    assert redis_servers() <= before


def redis_servers():
    """The private Redis servers on this machine; other farms may have theirs."""
    command = ["pgrep", "-f", "redis-server.*wheelfarm-"]
    return set(subprocess.run(command, capture_output=True, timeout=10, check=False).stdout.split())


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/simple/", "nonsense"])
def test_an_index_that_does_not_answer_fails(settings, url):
    """An unreachable index is a failure that names the setting."""
    finding = checks.check_index(settings.model_copy(update={"index_url": url}))
    assert finding.level is Level.FAIL
    assert "WHEELFARM_INDEX_URL" in finding.advice


def test_an_image_tells_how_many_interpreters_work(settings):
    """A ready image counts what works; one that nobody needed yet is right, and one that failed is a warning."""
    ready = Image(name="debian-12", state=ImageState.READY, digest="ab", interpreters=[{"works": True}, {}])
    assert "1 interpreters; not booted yet" in _image_finding("debian-12", ready, settings).seen
    assert _image_finding("debian-12", None, settings).level is Level.OK
    failed = Image(name="debian-12", state=ImageState.FAILED, note="no room")
    assert _image_finding("debian-12", failed, settings).level is Level.WARN


def test_a_line_has_level_name_and_advice():
    """The advice stands below its line."""
    text = line(checks.Finding(name="disk", level=Level.WARN, seen="little", advice="free some"))
    assert "warn" in text
    assert text.endswith("→ free some")
