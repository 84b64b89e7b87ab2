"""What may be removed from a home, and its removal."""

import fcntl
import json
import subprocess
import time
from datetime import timedelta

import pytest
from sqlmodel import select
from tests.stored_image import store_image

from farm_images import catalogue
from farm_images.errors import ImageError
from farm_scheduler.disposal import dispose
from farm_scheduler.garbage import find_garbage
from farm_scheduler.sources import source_path
from farm_scheduler.states import AttemptState
from farm_scheduler.tables import Attempt, Image, Run, now

DAY = 86400


def bake(settings, digit, days, name="debian-12"):
    """An image in the catalogue, so many days old."""
    image = store_image(settings.images, name=name, digest=digit * 64, baked=time.time() - days * DAY)
    command = ["qemu-img", "create", "-q", "-f", "qcow2", image.disk, "1M"]
    subprocess.run(command, check=True, timeout=30)
    return image.folder


def template(settings, name, image):
    """A template of an image."""
    folder = settings.home / "templates" / name
    folder.mkdir(parents=True)
    (folder / "key.json").write_text(json.dumps({"image": image}))
    return folder


def overlay(path, backing):
    """A disk on another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", backing, path]
    subprocess.run(command, check=True, timeout=30)


@pytest.fixture
def home(runs, settings):
    """A home with a new image, which the record calls ready, an old one, and a template of each."""
    old, new = bake(settings, "0", 100), bake(settings, "1", 1)
    with runs.write() as session:
        session.get(Image, "debian-12").digest = new.name
    template(settings, "old", old.name)
    template(settings, "new", new.name)
    return settings


def found(database, settings, days=0.0):
    """What would go so many days from now: kind and name of the path."""
    with database.read() as session:
        items = find_garbage(session, settings, now() + timedelta(days=days))
    return [(item.kind, item.path.name) for item in items]


def test_an_old_image_goes_with_its_templates(runs, home):
    """Neither the newest image nor what belongs to it goes, however old it is."""
    wanted = [("image", "0" * 64), ("template", "old")]
    assert found(runs, home) == wanted
    assert found(runs, home, days=60) == wanted


def test_each_name_keeps_its_newest_image(runs, home):
    """Of several systems each loses what is old but its newest image, whatever is newer elsewhere."""
    bake(home, "2", 200, "debian-13")
    bake(home, "3", 150, "debian-13")
    bake(home, "4", 300, "forky")
    assert [item for item in found(runs, home) if item[0] == "image"] == [
        ("image", "0" * 64),
        ("image", "2" * 64),
    ]


def test_an_image_that_was_used_lately_stays(runs, home):
    """An attempt of these days keeps its image, and with it the template."""
    with runs.write() as session:
        attempt = session.get(Attempt, _attempt(session, "j-fin22222"))
        attempt.image_digest, attempt.leased = "0" * 64, now() - timedelta(days=29)
    assert found(runs, home) == []
    assert found(runs, home, days=2) == [("image", "0" * 64), ("template", "old")]


def test_what_a_job_at_work_needs_stays(runs, home):
    """The image, the evidence and the source of what has not ended are not touched, however long it takes."""
    with runs.write() as session:
        attempt = session.get(Attempt, _attempt(session, "j-run22221"))
        attempt.image_digest, attempt.stream_path = "0" * 64, "streams/work.subunit"
    (home.streams / "work.subunit").write_bytes(b"x")
    source_path(home, "1" * 64).write_bytes(b"x")
    names = {name for _, name in found(runs, home, days=999)}
    assert not names & {"0" * 64, "old", "work.subunit", "1" * 64 + ".tar.gz"}


def test_what_a_machine_stands_on_stays(runs, home):
    """A machine's overlay keeps its template and its image, whoever runs it."""
    disk = home.home / "templates/old/disk.qcow2"
    overlay(disk, home.images / "debian-12" / ("0" * 64) / "disk.qcow2")
    overlay(home.home / "machines/m-1/disk.qcow2", disk)
    assert found(runs, home) == []


def test_a_machine_that_cannot_be_read_keeps_everything(runs, home):
    """When nobody can tell what a machine stands on, nothing goes and the sentence says so."""
    (home.home / "machines/m-1/disk.qcow2").mkdir(parents=True)
    with pytest.raises(ImageError, match="stop the farm"):
        found(runs, home)


def test_old_evidence_goes_and_verdicts_stay(runs, home):
    """Streams and sources older than the setting go; the record keeps what they said."""
    source_path(home, "0" * 64).write_bytes(b"x")
    (home.streams / "unknown.subunit").write_bytes(b"x")
    downloads = home.home / "index/downloads"
    downloads.mkdir(parents=True)
    (downloads / "m-1.jsonl").write_bytes(b"x")
    (home.home / "releases").mkdir()
    (home.home / "releases/demo==1.0.json").write_bytes(b"x")
    late = [item for item in found(runs, home, days=91) if item[0] not in {"image", "template"}]
    assert ("evidence", "j-fin22222.subunit") in late
    assert ("evidence", "unknown.subunit") in late
    assert ("source", "0" * 64 + ".tar.gz") in late
    assert ("download record", "m-1.jsonl") in late
    assert ("download record", "demo==1.0.json") in late
    with runs.read() as session:
        items = find_garbage(session, home, now() + timedelta(days=91))
    for item in items:
        assert dispose(runs, item)
    assert found(runs, home, days=91) == []
    with runs.read() as session:
        assert session.get(Attempt, _attempt(session, "j-fin22222")).stream_path is None
        assert session.get(Run, "r-fin23456").exit_code == 1


def test_a_removal_that_was_interrupted_is_ended(runs, home, monkeypatch):
    """A kill in the middle leaves a folder that nobody takes for an image, and the next removal takes it."""
    monkeypatch.setattr("farm_scheduler.disposal.shutil.rmtree", _killed)
    with runs.read() as session:
        item = find_garbage(session, home, now())[0]
    with pytest.raises(KeyboardInterrupt):
        dispose(runs, item)
    monkeypatch.undo()
    assert [image.digest for image in catalogue.images(home.images)] == ["1" * 64]
    assert found(runs, home) == [("remains", ".gone-" + "0" * 64), ("template", "old")]
    with runs.read() as session:
        assert all(dispose(runs, item) for item in find_garbage(session, home, now()))
    assert [path.name for path in (home.images / "debian-12").glob("[!.]*")] == ["1" * 64]
    assert not list(home.images.glob("*/.gone*"))


def test_a_bake_keeps_its_images(runs, home):
    """While somebody bakes this image nothing of it is removed, and that is told."""
    with runs.read() as session:
        item = find_garbage(session, home, now())[0]
    with (item.path.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert dispose(runs, item) is False
    assert item.path.is_dir()


def test_what_has_gone_already_is_no_error(runs, home):
    """Two removals at once end well."""
    with runs.read() as session:
        items = find_garbage(session, home, now())
    for item in [*items, *items]:
        assert dispose(runs, item)


def test_a_template_in_the_making_is_its_makers(runs, home):
    """What is not whole yet is left alone."""
    (home.home / "templates/old").rename(home.home / "templates/old.part")
    assert found(runs, home) == [("image", "0" * 64)]


def _killed(*_):
    raise KeyboardInterrupt


def _attempt(session, job):
    attempt = session.exec(select(Attempt).where(Attempt.job_id == job)).one()
    assert attempt.state in AttemptState
    return attempt.id
