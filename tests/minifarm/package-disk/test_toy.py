"""Looks at the farm's package disk from inside a job."""

from pathlib import Path

CACHE = Path.home() / ".cache/wheelfarm/uv"


def test_popular_wheels_are_there() -> None:
    """The cache of uv holds what was on the disk, and what this job was installed from."""
    assert "overlay" in [
        line.split()[2] for line in Path("/proc/mounts").read_text().splitlines() if str(CACHE) in line
    ]
    assert len(list((CACHE / "archive-v0").iterdir())) > 10
    assert list(CACHE.glob("wheels-v*/index/*/pytest/*"))


def test_the_job_adds_its_own() -> None:
    """What the job writes lies on top; the disk itself cannot be written."""
    (CACHE / "archive-v0/mine").mkdir()
    found = [
        line.split() for line in Path("/proc/mounts").read_text().splitlines() if line.startswith("/dev/vdb ")
    ]
    assert [options.split(",")[0] for _, _, _, options, *_ in found] == ["ro"]
