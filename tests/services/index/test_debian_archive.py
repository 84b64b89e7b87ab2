"""Debian's archive through the proxy: apt gets its lists and packages, each fetched once, and nothing else."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from farm_images.agent.system_packages import OPTIONS

from .conftest import wait_until

RELEASE = "/debian/dists/toy/InRelease"
PACKAGE = "/debian/pool/main/t/toy/toy_1.0%2b1_all.deb"


@pytest.fixture
def archive(toy_index: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The toy index, which has a toy archive as well: a suite, an index by its digest, and a package."""
    base = toy_index.url.removesuffix("simple/")
    monkeypatch.setenv("WHEELFARM_DEBIAN_MIRROR", base)
    packages = b"Package: toy\n"
    toy_index.by_hash = (
        f"/debian/dists/toy/main/binary-amd64/by-hash/SHA256/{hashlib.sha256(packages).hexdigest()}"
    )
    toy_index.files |= {
        RELEASE: b"signed",
        toy_index.by_hash: packages,
        "/debian/pool/main/t/toy/toy_1.0+1_all.deb": b"deb" * 1000,
        "/debian/dists/toy/Release": b"no",
        "/secret": b"no",
    }
    return toy_index


def test_each_file_is_fetched_once(archive: Any, machine: Any) -> None:
    """A suite's list, an index and a package come from the mirror once, and then from the cache."""
    for path in (RELEASE, archive.by_hash, PACKAGE) * 2:
        status, _, body = machine.get(path)
        assert (status, body) == (200, archive.files[path.replace("%2b", "+")]), path
    assert {count for path, count in archive.seen.items() if "debian" in path} == {1}


def test_a_stale_list_is_better_than_none(archive: Any, start_proxy: Any) -> None:
    """A list that is not fresh any more is asked for again, and the copy is given while the mirror fails."""
    with start_proxy("--page-seconds", "0") as proxy:
        machine = proxy.machine()
        assert machine.get(RELEASE)[2] == b"signed"
        archive.files[RELEASE] = b"signed anew"
        assert machine.get(RELEASE)[2] == b"signed anew"
        archive.status = 500
        assert machine.get(RELEASE)[::2] == (200, b"signed anew")
        assert machine.get(RELEASE.replace("toy", "other"))[0] == 502


@pytest.mark.parametrize(
    "path",
    [
        "/debian/dists/toy/Release",
        "/debian/../secret",
        "/debian/%2e%2e/secret",
        "/debian/dists/%2e%2e%2f%2e%2e%2fsecret/InRelease",
        "/debian/dists/toy/../../../secret",
        "/debian/pool/main/t/toy/toy.txt",
        "/debian/pool/main/t/../../../../secret.deb",
        "/debian-other/dists/toy/InRelease",
        "/debian/dists/toy/main/binary-amd64/by-hash/SHA256/xyz",
        "/debian/",
    ],
)
def test_nothing_else_is_fetched(archive: Any, machine: Any, path: str) -> None:
    """Other paths of the mirror are not there, whatever is behind them, and the mirror is not asked."""
    assert machine.get(path)[0] == 404
    assert not archive.seen


def test_an_index_of_other_content_is_refused(archive: Any, machine: Any, proxy: Any) -> None:
    """An index whose content has not the digest of its address never gets through whole, and is not kept."""
    archive.files[archive.by_hash] = b"Package: evil\n"
    machine.raw(f"GET {archive.by_hash} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    wait_until(lambda: "sha256" in proxy.log.read_text())
    assert not [path for path in (proxy.home / "index/files").rglob("*") if path.is_file()]


def test_apt_works_through_it(machine: Any, tmp_path: Path) -> None:
    """The real apt checks the signature of a real suite, reads its lists and gets a package; twice from one fetch."""
    folder = tmp_path / "apt"
    for name in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d"):
        (folder / name).mkdir(parents=True)
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    base = machine.url.removesuffix("/simple/")
    sources = [
        f"deb [signed-by={keys} arch=amd64] {base}/{archive} {suite} main\n"
        for archive, suite in (("debian", "bookworm-updates"), ("debian-security", "bookworm-security"))
    ]
    (folder / "etc/sources.list").write_text("".join(sources))
    settings = OPTIONS | {
        "Dir::State": folder / "state",
        "Dir::Cache": folder / "cache",
        "Dir::Etc": folder / "etc",
        "Dir::State::status": "/dev/null",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",
    }
    options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    for words in (["update"], ["download", "tzdata"]):
        done = subprocess.run(
            ["apt-get", *options, *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "W: " not in done.stderr, done.stderr
    for name in ("no-such-package-in-debian", "tzd.ta"):
        command = ["apt-get", *options, "--simulate", "--yes", "install", "--", name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert f"E: Unable to locate package {name}" in done.stderr, done.stderr
    assert list(folder.glob("tzdata_*.deb"))
