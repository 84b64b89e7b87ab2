"""How long installers take for the same sets: `python -m benchmarks.installers`.

tox-wheelfarm against tox's own `pylock`, tox-uv's lock runner, tox-poetry-installer, tox with pip and hashed
requirements, venv-update, and bare `uv pip sync`; on 78 packages and on six small projects. All in one run, in turn,
each in a tool environment of its own. Rows: cold (an empty environment, warm caches, as on all but the first day:
of uv, pip and poetry their files, of tox-wheelfarm what the lock file decided as well), nothing to do, and offline
(cold again, with every way to the network dead; what failed once, or went on for a minute, "fails"). Prints medians
and how many times ours each is, and whether the bounds are held; exit codes: 0 held, 1 missed, 3 not to be measured.
It needs PyPI and a few GB, and takes half an hour: the others do. To link ten thousand files takes a disk 0.1 s or
0.8 s, by where it puts the folder; `--keep /dev/shm/bench` (2 GB of memory) is without that luck.
No commands run, so tox-wheelfarm's look at each installed file, which takes place while they do, is in no row.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from uv import find_uv_bin

from benchmarks.installer_sets import ReleaseSet, release_sets, write_locks
from benchmarks.installer_tools import BARE, OURS, SECONDS, TOOLS, Bench, Tool

ROWS = ("cold", "nothing to do", "offline")
BEYOND_TOX_SECONDS = 0.15
"""What a run with nothing to do may take beyond tox's own start."""

OVER_BARE = 1.10
"""How many times bare `uv pip sync` a cold run may take, less tox's own start."""

OFFLINE_SECONDS = 60
"""What does not work offline need not be waited for: some try again for minutes."""

Times = dict[str, dict[str, list[float]]]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds (default: 3)")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="use FOLDER and leave it: caches stay warm"
    )
    parser.add_argument(
        "--only", choices=("big", "small"), help="only the 78 packages, or the six small projects"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wf-installers-") as temporary:
        bench = Bench((arguments.keep or Path(temporary)).resolve(), Path(find_uv_bin()))
        try:
            times, start, reasons = measure(bench, arguments.rounds, arguments.only)
        except subprocess.CalledProcessError as failed:
            print(f"{failed}\n{(failed.stderr or b'').decode(errors='replace')[-2000:]}", file=sys.stderr)
            return 3
    print(json.dumps({"start": start, "times": times}), file=sys.stderr)
    for line in table(times, start, reasons):
        print(line)
    missed = misses(times, start)
    for line in missed or ["every bound is held"]:
        print(line)
    return 1 if missed else 0


def measure(bench: Bench, rounds: int, only: str | None) -> tuple[dict[str, Times], float, dict[str, str]]:
    """Seconds by group of sets, row and tool; tox's own start; and why a tool was not measured.

    Raises:
        subprocess.CalledProcessError: a set could not be locked.
    """
    reasons: dict[str, str] = {}
    for tool in TOOLS:
        _say(f"installing {tool.name}")
        bench.install(tool)
    times: dict[str, Times] = {}
    sets = release_sets()
    groups = {"big": ("78 packages", sets[:1]), "small": ("six small projects, together", sets[1:])}
    for key, (group, members) in groups.items():
        if only not in {None, key}:
            continue
        projects = {each.name: _projects(bench, each) for each in members}
        times[group] = _rounds(bench, projects, members, rounds, reasons)
    return times, _start(bench, rounds), reasons


def _projects(bench: Bench, wanted: ReleaseSet) -> dict[str, Path]:
    locks = bench.folder / "locks" / wanted.name.replace(" ", "-")
    if not locks.exists():
        _say(f"locking {wanted.name}")
        poetry = next(bench.tool_folder(tool) / "bin/poetry" for tool in TOOLS if "poetry" in tool.name)
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        write_locks(wanted, locks, bench.uv, poetry, bench.environment(), python)
    return {tool.name: bench.project(tool, wanted, locks) for tool in TOOLS}


def _rounds(
    bench: Bench,
    projects: Mapping[str, Mapping[str, Path]],
    members: Sequence[ReleaseSet],
    rounds: int,
    reasons: dict[str, str],
) -> Times:
    times: Times = {row: defaultdict(list) for row in ROWS}
    hopeless: set[str] = set()
    for number in range(rounds + 1):
        for tool in TOOLS:
            if reasons.get(tool.name):
                continue
            _say(f"round {number} of {rounds} ({members[0].name}): {tool.name}")
            found = [
                _three(bench, tool, projects[each.name][tool.name], each, reasons, hopeless)
                for each in members
            ]
            if number and not reasons.get(tool.name):  # the first warms the caches
                for row in ROWS:
                    seconds = [each[row] for each in found]
                    if None not in seconds:
                        times[row][tool.name].append(sum(filter(None, seconds)))
    return times


def _three(
    bench: Bench,
    tool: Tool,
    project: Path,
    wanted: ReleaseSet,
    reasons: dict[str, str],
    hopeless: set[str],
) -> dict[str, float | None]:
    """The seconds of the three rows; None where it failed offline. Elsewhere a failure ends the tool's part."""
    if reasons.get(tool.name):
        return dict.fromkeys(ROWS)
    shutil.rmtree(bench.made(tool, project), ignore_errors=True)
    cold, said = _timed(bench, tool, project)
    if cold is None or not set(map(_plain, wanted.pins)) <= _installed(bench.made(tool, project)):
        reasons[tool.name] = said or f"it did not install {wanted.name}"
        return dict.fromkeys(ROWS)
    again, _ = _timed(bench, tool, project)
    offline = None
    if tool.name not in hopeless:
        shutil.rmtree(bench.made(tool, project), ignore_errors=True)
        offline, _ = _timed(bench, tool, project, network=False)
        hopeless |= {tool.name} if offline is None else set()
    return {"cold": cold, "nothing to do": again, "offline": offline}


def _timed(bench: Bench, tool: Tool, project: Path, *, network: bool = True) -> tuple[float | None, str]:
    limit = SECONDS if network else OFFLINE_SECONDS
    began = time.perf_counter()
    for command in bench.commands(tool, network=network):
        process = subprocess.Popen(
            command,
            cwd=project,
            env=bench.environment(network=network),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=limit)
            return None, f"it took longer than {limit} s"
        if process.returncode:
            lines = said.strip().splitlines()
            errors = [line for line in lines if "Error" in line]
            return None, (errors or lines or ["it failed"])[-1].strip()[:200]
    return time.perf_counter() - began, ""


def _start(bench: Bench, rounds: int) -> float:
    """The median of tox's own start: its own runner, an environment that is there, and nothing to install."""
    tool = next(tool for tool in TOOLS if tool.name == OURS)
    project = bench.folder / "projects" / "nothing"
    project.mkdir(parents=True, exist_ok=True)
    (project / "tox.ini").write_text(
        "[tox]\nenv_list = bench\nno_package = true\n[testenv:bench]\nskip_install = true\n"
    )
    seconds = [_timed(bench, tool, project)[0] for _ in range(2 * rounds + 1)]
    return statistics.median(each for each in seconds[1:] if each is not None)


def _installed(folder: Path) -> set[str]:
    """`name==version` of what stands in an environment, names normalised."""
    found = folder.glob("**/site-packages/*.dist-info")
    return {_plain("==".join(each.name.removesuffix(".dist-info").rsplit("-", 1))) for each in found}


def _plain(pin: str) -> str:
    name, _, version = pin.partition("==")
    return f"{name.lower().replace('_', '-').replace('.', '-')}=={version}"


def table(times: Mapping[str, Times], start: float, reasons: Mapping[str, str]) -> list[str]:
    """The medians, and how many times ours each is, as lines."""
    lines = [f"tox's own start: {start:.2f} s"]
    for group, rows in times.items():
        lines += ["", f"{group:26}" + "".join(f"{row:>24}" for row in ROWS)]
        for tool in TOOLS:
            cells = [_cell(rows[row].get(tool.name), rows[row].get(OURS)) for row in ROWS]
            told = reasons.get(tool.name)
            lines.append(f"{tool.name:26}" + (f"  does not run: {told}" if told else "".join(cells)))
    return lines


def _cell(seconds: Sequence[float] | None, ours: Sequence[float] | None) -> str:
    if not seconds:
        return f"{'fails':>24}"
    median = statistics.median(seconds)
    ratio = f"({median / statistics.median(ours):.1f} x)" if ours else ""
    return f"{median:13.2f} s {ratio:>8}"


def misses(times: Mapping[str, Times], start: float) -> list[str]:
    """The bounds that are not held, one sentence each."""
    found = []
    for group, rows in times.items():
        medians = {
            row: {tool: statistics.median(each) for tool, each in rows[row].items() if each} for row in ROWS
        }
        sets = 6 if "six" in group else 1
        for row in ROWS:
            ours = medians[row].get(OURS)
            if ours is None:
                found.append(f"MISSED: {group}, {row}: ours was not measured")
                continue
            faster = [tool for tool, other in medians[row].items() if other < ours and tool != BARE]
            found += [f"MISSED: {group}, {row}: {tool} is faster" for tool in faster]
            if row == "nothing to do" and ours / sets - start > BEYOND_TOX_SECONDS:
                found.append(f"MISSED: {group}, {row}: {ours / sets - start:.2f} s beyond tox's own start")
            bare = medians[row].get(BARE)
            if row == "cold" and bare and ours - sets * start > OVER_BARE * bare:
                over = (ours - sets * start) / bare
                found.append(f"MISSED: {group}, {row}: {over:.2f} times bare uv, less tox's own start")
    return found


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
