"""The cut-off of a job at the real proxy: what a machine sees of the index, and what real installers make of it."""

import json
import os
import socket
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from farm_workers.index_policy import set_cutoff
from farm_workers.leases import LeaseError

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
CUTOFF = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def machine(toy_index: Any, proxy: Any) -> Any:
    """A machine that sees the index as of February 2026; `toy` and `dep` of the fixture came nobody knows when."""
    for version, day in (
        ("1.0", "2026-01-10"),
        ("1.1", "2026-01-31"),
        ("2.0", "2026-02-01"),
        ("3.0", "soon"),
    ):
        toy_index.add("dated", version, **{"upload-time": f"{day}T00:00:00Z"})
    toy_index.add("dated", "4.0")
    toy_index.add("fresh", "1.0", **{"upload-time": "2026-03-01T00:00:00.123456Z"})
    found = proxy.machine("m-old")
    set_cutoff(proxy.control, "m-old", CUTOFF)
    return found


def names(answer: tuple[int, dict[str, str], bytes]) -> list[str]:
    """The versions of `dated` on a page of either form."""
    status, headers, body = answer
    assert status == 200
    if JSON_TYPE in headers["content-type"]:
        found = [file["filename"] for file in json.loads(body)["files"]]
    else:
        found = [line.split(">")[1].split("<")[0] for line in body.decode().splitlines() if "<a " in line]
    return [name.split("-")[1] for name in found]


def test_pages_are_as_they_were(machine: Any, proxy: Any) -> None:
    """Files that came at or after the cut-off, or nobody knows when, are on no page of that machine, and on others'."""
    path = "/simple/dated/"
    assert names(machine.get(path, Accept=JSON_TYPE)) == names(machine.get(path)) == ["1.0", "1.1"]
    assert names(proxy.machine("m-new").get(path, Accept=JSON_TYPE)) == ["1.0", "1.1", "2.0", "3.0", "4.0"]
    assert names(machine.get(path, Accept=JSON_TYPE)) == ["1.0", "1.1"]


def test_a_project_of_which_nothing_is_left_does_not_exist(machine: Any) -> None:
    """Where every file is hidden the page is not there, and its text says why."""
    for name in ("fresh", "toy"):
        status, _headers, body = machine.get(f"/simple/{name}/")
        assert (status, b"the cut-off of this job" in body) == (404, True)


def test_hidden_files_cannot_be_fetched(machine: Any) -> None:
    """Who knows the address of a file does not get it either."""
    for version, wanted in (("1.1", 200), ("2.0", 404), ("3.0", 404), ("4.0", 404)):
        assert machine.get(f"/files/dated/dated-{version}-py2.py3-none-any.whl")[0] == wanted


def test_another_cut_off_has_another_etag(machine: Any, proxy: Any) -> None:
    """A cached page of one moment is not taken for that of another."""
    now = machine.get("/simple/dated/")[1]["etag"]
    other = proxy.machine("m-new")
    assert other.get("/simple/dated/", If_None_Match=now)[0] == 200
    assert machine.get("/simple/dated/", If_None_Match=now)[0] == 304


@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_installers_take_the_newest_of_that_time(machine: Any, proxy: Any, tool: str, tmp_path: Path) -> None:
    """Real installers get the newest release that was there, and the record has the file with its hash."""
    target, host = tmp_path / "site", "127.0.0.1"
    if tool == "pip":
        command = [
            "/usr/bin/python3",
            "-I",
            "-m",
            "pip",
            "install",
            "--isolated",
            "--trusted-host",
            host,
            "--no-deps",
        ]
    else:
        command = [find_uv_bin(), "--no-config", "pip", "install", "--cache-dir", str(tmp_path / "cache")]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    command += ["--target", str(target), "--index-url", machine.url, "dated"]
    subprocess.run(command, check=True, timeout=120, env=plain | {"PIP_CONFIG_FILE": os.devnull})
    assert [path.name for path in target.glob("dated-*.dist-info")] == ["dated-1.1.dist-info"]
    told = [each for each in proxy.downloads("m-old") if each["file"] == "dated-1.1-py2.py3-none-any.whl"]
    assert {len(each["sha256"]) for each in told} == {64}


def test_a_machine_that_is_not_there_is_an_error_of_the_farm(proxy: Any) -> None:
    """A proxy that does not know the machine, and one that is not there, end the lease and not the project."""
    with pytest.raises(LeaseError, match="does not know the machine m-none"):
        set_cutoff(proxy.control, "m-none", CUTOFF)
    with pytest.raises(LeaseError, match="could not be told"):
        set_cutoff(proxy.control.with_name("gone"), "m-none", CUTOFF)
    set_cutoff(proxy.control.with_name("gone"), "m-none", None)


@pytest.mark.parametrize("said", ['"soon"', "5", "null", '"2026-02-01"', '"2026-02-01T00:00:00"', "[]"])
def test_odd_cut_offs_change_nothing(machine: Any, proxy: Any, said: str) -> None:
    """A time that cannot be read, or that has no zone, is refused, and the machine sees what it saw."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(5)
        control.connect(str(proxy.control))
        control.sendall(f'{{"machine": "m-old", "cutoff": {said}}}\n'.encode())
        assert control.recv(10) == b""
    assert names(machine.get("/simple/dated/")) == ["1.0", "1.1"]


@pytest.mark.usefixtures("machine")
def test_many_machines_with_cut_offs_of_their_own(proxy: Any) -> None:
    """Each of a dozen machines that ask at once sees its own day."""
    machines = [proxy.machine(f"m-{day}") for day in range(1, 13)]
    for day, each in enumerate(machines, 1):
        set_cutoff(proxy.control, each.name, datetime(2026, 1, 5 + day, tzinfo=UTC))
    found: dict[int, list[str]] = {}

    def look(day: int) -> None:
        answer = machines[day - 1].get("/simple/dated/")
        found[day] = names(answer) if answer[0] == 200 else []

    threads = [threading.Thread(target=look, args=(day,)) for day in range(1, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {day: ["1.0"] if 5 + day > 10 else [] for day in range(1, 13)}
