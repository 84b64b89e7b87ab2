"""What --result-json says of a set can be read back, and the origin of each installed file is the real one."""

import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from packaging.pylock import Pylock, PylockSelectError

from tox_wheelfarm.locks.facts import target
from tox_wheelfarm.locks.pin import Pin, PinnedFile
from tox_wheelfarm.named import marked, named
from tox_wheelfarm.origins import origins
from tox_wheelfarm.record import entry, pylock_text
from tox_wheelfarm.resolution import Folder, resolve
from tox_wheelfarm.uv import Offline

PYTHON = Path(sys.executable)


@dataclass(frozen=True)
class Lock:
    """What the record needs of a lock file."""

    path: Path
    sha256: str = "ab" * 32
    format: str = "poetry"


@pytest.fixture
def install(uv, tmp_path):
    """Install lines of a requirements file without their dependencies; gives the environment's site-packages."""

    def installed(*lines, extra=()):
        online = replace(uv, offline=Offline.NEVER)
        (tmp_path / "set.txt").write_text("\n".join(lines))
        online.run(["venv", "--python", sys.executable, "env"], cwd=tmp_path)
        online.run(["pip", "install", "--python", "env", "--no-deps", *extra, "-r", "set.txt"], cwd=tmp_path)
        (site,) = tmp_path.glob("env/lib/python*/site-packages")
        return site

    return installed


def told(found):
    """File, URL and hash by name."""
    return {each.name: (each.file, each.url, each.hash) for each in found}


def test_the_wheel_that_was_installed_is_named(index, uv, ask, install):
    """Of several wheels and an sdist the one is named that was installed, by its tags, with its URL and hash."""
    index.release("apple", "1.0", tag="py2-none-any")
    index.release("apple", "1.0", tag="py2.py3-none-any")
    index.source("apple", "1.0")
    pins = resolve(ask("apple"), uv).pins
    file = index.file("apple", 1)
    assert told(origins(pins, [install("apple==1.0")])) == {
        "apple": (file.name, f"{index.url}/files/apple/{file.name}", f"sha256:{file.sha256}")
    }


def test_what_was_built_came_from_the_sdist(index, uv, ask, install):
    """A distribution whose tags no wheel of the pin has was built from the sdist."""
    index.release("apple", "1.0", tag="cp27-cp27m-win32")
    index.source("apple", "1.0")
    pins = resolve(ask("apple"), uv).pins
    assert told(origins(pins, [install("apple==1.0")]))["apple"][0] == "apple-1.0.tar.gz"


def test_direct_references_and_folders(index, install, project):
    """An archive, a repository and a folder are told by direct_url.json, without passwords."""
    index.release("apple", "1.0")
    url = f"{index.url}/files/apple/{index.file('apple').name}"
    folder, repository = project(), project("other")
    for words in (
        ["init"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-m", "x"],
    ):
        subprocess.run(["git", *words], cwd=repository, check=True, capture_output=True, timeout=60)
    commit = subprocess.check_output(
        ["git", "rev-parse", "HEAD"], cwd=repository, text=True, timeout=60
    ).strip()
    secret = url.replace("//", "//me:secret@")
    digest = index.file("apple").sha256
    lines = (f"apple @ {secret}#sha256={digest}", str(folder), f"other @ git+{repository.as_uri()}")
    found = told(origins((), [install(*lines)]))
    assert found["apple"][:2] == (index.file("apple").name, url)
    assert found["toyproject"] == ("", folder.as_uri(), "")
    assert found["other"] == ("", repository.as_uri(), f"git:{commit}")


def test_the_hash_of_a_url_is_that_of_its_pin(index, install):
    """Where uv keeps no hash of what was installed by URL, it is that of what was decided."""
    index.release("apple", "1.0")
    file = index.file("apple")
    url = f"{index.url}/files/apple/{file.name}"
    pin = Pin("apple", "1.0", (PinnedFile(file.name, (f"sha256:{file.sha256}",)),), url)
    found = told(origins([pin], [install(f"apple @ {url}")]))
    assert found["apple"] == (file.name, url, f"sha256:{file.sha256}")


def test_a_stray_and_a_broken_dist_info(install, index):
    """What no pin knows has a name and a version only, and what cannot be read is left out."""
    index.release("apple", "1.0")
    site = install("apple==1.0")
    (site / "broken-1.0.dist-info").mkdir()
    (site / "odd-1.0.dist-info").mkdir()
    (site / "odd-1.0.dist-info/METADATA").write_bytes(b"\xff\xfe\nName\n")
    other = Pin("apple", "2.0", (PinnedFile("apple-2.0-py3-none-any.whl", ("sha256:00",), "https://x/y"),))
    assert told(origins([other], [site, site])) == {"apple": ("", "", "")}


def test_hashes_only_are_named_from_the_cache(index, uv, install):
    """Pins of a lock that has hashes only get names and URLs from uv's cache, without a request."""
    index.release("apple", "1.0", yanked="broken")
    index.source("apple", "1.0")
    index.release("pear", "1.0")
    wheel, _ = index.files["apple"]
    pear = index.file("pear")
    pins = (
        Pin("apple", "1.0", (PinnedFile("", (f"sha256:{wheel.sha256}",)),)),
        Pin("pear", "1.0", (PinnedFile(pear.name, (f"sha256:{pear.sha256}",)),)),
        Pin("unknown", "1.0", (PinnedFile("", ("sha256:00",)),)),
    )
    lines = [
        " ".join([f"{pin.name}=={pin.version}", *(f"--hash={each}" for each in pin.hashes)]) for pin in pins
    ]
    install(*lines[:2], extra=["--require-hashes"])
    index.asked.clear()
    found = named(pins[:2], PYTHON, uv)
    assert named(pins, PYTHON, uv)[2] == pins[2]
    assert index.asked == []
    assert [file.name for pin in found for file in pin.files] == [wheel.name, pear.name]
    assert [file.url for file in found[1].files] == [f"{index.url}/files/pear/{pear.name}"]
    assert found[0].yanked == "broken"


def test_a_withdrawn_release_of_a_lock_is_known_from_the_cache(index, uv, install):
    """After an install what is withdrawn is known without a request; before it nothing is."""
    index.release("apple", "1.0", yanked="broken")
    index.release("pear", "1.0")
    pins = tuple(
        Pin(name, "1.0", (PinnedFile("", (f"sha256:{index.file(name).sha256}",)),))
        for name in ("apple", "pear")
    )
    assert [pin.yanked for pin in marked(pins, PYTHON, uv)] == [None, None]
    install("apple==1.0", "pear==1.0")
    index.asked.clear()
    assert [pin.yanked for pin in marked(pins, PYTHON, uv)] == ["broken", None]
    assert index.asked == []


def test_the_text_is_read_back(index, uv, ask, project):
    """A pylock.toml of pins is valid (PEP 751), gives the same for the same interpreter, and refuses another."""
    index.release("apple", "1.0")
    index.source("apple", "1.0")
    folder = project()
    resolution = resolve(ask("apple", folders=[Folder(folder, editable=True)]), uv)
    commit = "0123456789" * 4
    pins = (
        *resolution.pins,
        Pin("fig", "2", reference=f"git+https://me:secret@example.org/fig@{commit}", subdirectory="sub"),
        Pin("plum", "3", (PinnedFile("plum.zip", ("sha256:00",), ""),), "https://example.org/plum.zip"),
    )
    text = pylock_text(pins, target(PYTHON))
    assert "secret" not in text
    lock = Pylock.from_dict(tomllib.loads(text))
    here = target(PYTHON)
    chosen = {
        package.name: place
        for package, place in lock.select(environment=dict(here.environment), tags=here.tags)
    }
    assert set(chosen) == {"apple", "fig", "plum", "toyproject"}
    assert chosen["apple"].hashes == {"sha256": index.file("apple").sha256}
    assert (chosen["fig"].commit_id, chosen["fig"].subdirectory) == (commit, "sub")
    assert (chosen["toyproject"].path, chosen["toyproject"].editable) == (str(folder), True)
    with pytest.raises(PylockSelectError, match="environment"):
        list(lock.select(environment={**here.environment, "sys_platform": "win32"}, tags=here.tags))


def test_what_cannot_stand_in_a_lock_is_named(index, uv, ask):
    """A release without a known file is told as incomplete, and the rest is still valid."""
    index.release("apple", "1.0")
    pins = (
        *resolve(ask("apple"), uv).pins,
        Pin("pear", "2.0", (PinnedFile("", ("sha256:11", "sha256:22")),)),
    )
    document = tomllib.loads(pylock_text(pins, target(PYTHON)))
    assert [package["name"] for package in document["packages"]] == ["apple"]
    assert document["tool"]["wheelfarm"]["incomplete"] == ["pear==2.0 --hash=sha256:11 --hash=sha256:22"]
    Pylock.from_dict(document)


def test_the_text_installs_the_same_again(index, uv, ask, tmp_path):
    """Uv installs from the text of pins what the pins say."""
    index.release("apple", "1.0", "pear")
    index.release("pear", "1.0")
    pins = resolve(ask("apple==1.0", "pear==1.0"), uv).pins
    (tmp_path / "pylock.toml").write_text(pylock_text(pins, target(PYTHON)))
    uv.run(["venv", "--python", sys.executable, "again"], cwd=tmp_path, network=False)
    uv.run(["pip", "sync", "--python", "again", "pylock.toml"], cwd=tmp_path)
    (site,) = tmp_path.glob("again/lib/python*/site-packages")
    assert {each.name: each.version for each in origins((), [site])} == {"apple": "1.0", "pear": "1.0"}


def test_the_entry_is_json(index, uv, ask, constrain, install, tmp_path):
    """The entry has every part that was promised, and JSON can hold it."""
    index.release("apple", "1.0", yanked="broken")
    path = constrain("apple==1.0\n")
    resolution = resolve(ask("apple", constraints=(path,)), uv)
    lock = Lock(tmp_path / "poetry.lock")
    said = entry("constraints", resolution.pins, resolution.pylock, [install("apple==1.0")], lock, [path])
    assert json.loads(json.dumps(said)) == said
    assert said["lock"] == {"path": str(lock.path), "sha256": lock.sha256, "format": "poetry"}
    assert said["set"] == resolution.pylock
    assert said["yanked"] == [{"name": "apple", "version": "1.0", "reason": "broken"}]
    assert [each["file"] for each in said["files"]] == [index.file("apple").name]
    assert [each["source"] for each in said["constraints"]] == [str(path)]
    assert entry("latest", (), "", [])["lock"] is None
