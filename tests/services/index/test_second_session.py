"""What a second run of the same plan asks of the upstream: nothing while pages are fresh, later only conditionally."""

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.services.index.test_index_clients import pip_install, run
from uv import find_uv_bin

from farm_scheduler.settings import Settings
from farm_scheduler.sources import Source, get_source
from farm_scheduler.targets import read_target


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A Python with a pip of its own."""
    options = ("--no-setuptools", "--no-download")
    run(sys.executable, "-m", "virtualenv", *options, tmp_path / "python", cwd=tmp_path)
    return tmp_path / "python/bin/python"


def session(machine: Any, python: Path, folder: Path) -> None:
    """What the machines of a run do: pip and uv, each without a cache, as in a clone that is used once."""
    folder.mkdir()
    pip_install(python, machine, folder / "pip", folder)
    options = ["--no-cache", "--python", python, "--index-url", machine.url, "--target", folder / "uv"]
    run(find_uv_bin(), "pip", "install", *options, "toy", cwd=folder)
    assert (folder / "pip/dep.py").exists()
    assert (folder / "uv/dep.py").exists()


def test_a_second_session_asks_the_upstream_nothing(
    start_proxy: Any, toy_index: Any, python: Path, tmp_path: Path
) -> None:
    """Pip and uv in a second clone, behind a proxy that was started anew, cause no request at all."""
    with start_proxy() as proxy:
        session(proxy.machine(), python, tmp_path / "first")
    before = toy_index.seen.copy()
    assert set(before.values()) == {1}
    with start_proxy() as proxy:
        session(proxy.machine("m-2"), python, tmp_path / "second")
        assert all(line["from_cache"] for line in proxy.downloads("m-2"))
    assert toy_index.seen == before


def test_after_its_freshness_a_page_is_only_asked_for_conditionally(
    start_proxy: Any, toy_index: Any, python: Path, tmp_path: Path
) -> None:
    """Without any freshness a second session asks for pages that have not changed, and for no file."""
    with start_proxy("--page-seconds", "0") as proxy:
        session(proxy.machine(), python, tmp_path / "first")
        files = {path: count for path, count in toy_index.seen.items() if path.startswith("/packages/")}
        total, conditional = toy_index.seen.total(), toy_index.conditional
        session(proxy.machine("m-2"), python, tmp_path / "second")
    assert toy_index.conditional - conditional == toy_index.seen.total() - total > 0
    assert {path: toy_index.seen[path] for path in files} == files


@pytest.mark.parametrize(
    ("header", "requests"),
    [("max-age=600, public", 1), ("max-age=0", 2), ("no-cache, max-age=600", 2), ("", 2)],
)
def test_the_upstream_says_how_long_a_page_is_fresh(
    start_proxy: Any, toy_index: Any, header: str, requests: int
) -> None:
    """Its Cache-Control counts where the farm's own least freshness is off, also for the next proxy."""
    toy_index.cache_control = header
    for _ in range(2):
        with start_proxy("--page-seconds", "0") as proxy:
            assert proxy.machine().get("/simple/toy/")[0] == 200
    assert toy_index.seen["/simple/toy/"] == requests


def fetch(toy_index: Any, home: Path, target: str, **settings: float) -> Source:
    """What a run does to have its source."""
    farm = Settings(home=home, index_url=toy_index.url, **settings)
    farm.prepare()
    return get_source(read_target(target), farm)


def test_a_pinned_release_is_fetched_once(toy_index: Any, tmp_path: Path) -> None:
    """Within the freshness a run of an exact version that is known asks the index nothing."""
    toy_index.add_sdist("demo", "1.0")
    first = fetch(toy_index, tmp_path, "demo==1.0")
    before = toy_index.seen.copy()
    assert set(before.values()) == {1}
    assert fetch(toy_index, tmp_path, "demo==1.0") == first
    assert toy_index.seen == before


def test_a_release_that_is_not_fresh_is_asked_for_conditionally(toy_index: Any, tmp_path: Path) -> None:
    """After the freshness the page is asked for with its validator, and no file comes again, not even of a new page."""
    toy_index.add_sdist("demo", "1.0")
    first = fetch(toy_index, tmp_path, "demo==1.0", index_fresh_seconds=0)
    assert fetch(toy_index, tmp_path, "demo==1.0", index_fresh_seconds=0) == first
    assert toy_index.conditional == 1
    toy_index.links["demo"][0]["yanked"] = "broken"
    again = fetch(toy_index, tmp_path, "demo==1.0", index_fresh_seconds=0)
    assert again.notes == ("demo-1.0.tar.gz was yanked from the index: broken",)
    assert toy_index.seen["/packages/demo-1.0.tar.gz"] == 1


def test_the_newest_release_is_always_asked_for(toy_index: Any, tmp_path: Path) -> None:
    """A release that came a moment ago is found, however fresh the page was."""
    toy_index.add_sdist("demo", "1.0")
    toy_index.cache_control = "max-age=600"
    assert fetch(toy_index, tmp_path, "demo").version == "1.0"
    toy_index.add_sdist("demo", "2.0")
    assert fetch(toy_index, tmp_path, "demo").version == "2.0"
    assert fetch(toy_index, tmp_path, "demo").version == "2.0"
    assert toy_index.conditional == 1


def test_what_is_known_counts_only_with_its_archive_and_its_index(toy_index: Any, tmp_path: Path) -> None:
    """Without its archive, of another index, or damaged, a known release is fetched again."""
    toy_index.add_sdist("demo", "1.0")
    path = fetch(toy_index, tmp_path, "demo==1.0").path
    path.unlink()
    fetch(toy_index, tmp_path, "demo==1.0")
    assert path.is_file()
    (tmp_path / "releases/demo==1.0.json").write_text("{")
    fetch(toy_index, tmp_path, "demo==1.0")
    toy_index.url = toy_index.url.replace("127.0.0.1", "localhost")
    fetch(toy_index, tmp_path, "demo==1.0")
    assert toy_index.seen["/packages/demo-1.0.tar.gz"] == 4
