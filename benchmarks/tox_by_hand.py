"""Tox by hand in a clone of the same image: what a person would get, to compare the farm with.

Called by `agreement`. The job's user runs plain tox with no plugin of ours (`by_hand_script`); pytest's own junit
reports and tox's own result file are what is known of it.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import by_hand_script
from benchmarks.environment_outcomes import COMMANDS, NONE, SETUP, SKIPPED, SUCCESS, EnvironmentOutcome
from benchmarks.junit_reports import read_reports
from farm_images.wire import JOB_HOME, CommandFrame, LimitsFrame
from farm_scheduler.tables import Cell
from farm_workers.guest_command import CommandEnd, run_command, source_frame
from farm_workers.leases import LeaseRequest, lease

LEASE_SECONDS = 600.0
FOLDER = f"{JOB_HOME}/by-hand"
_SUMMARY = re.compile(r"^(?:ERROR|SKIPPED)?:?\s+(?P<name>[\w.+-]+): (?P<word>.+)$", re.MULTILINE)


def run_by_hand(
    holder: Path, request: LeaseRequest, cell: Cell, source: Path, limits: LimitsFrame
) -> CommandEnd:
    """Run the environments of a cell on the source in a clone of its own.

    Raises:
        LeaseError: no machine was to be had.
        MachineError: the machine did not do its part.
    """
    frame = CommandFrame(
        job=cell.id,
        argv=("/usr/bin/python3", "-I", "-c", script(), json.dumps(script_settings(cell))),
        source=source_frame(source),
        limits=limits,
        env=dict(cell.variables),
        collect=(f"{FOLDER}/*.xml", f"{FOLDER}/tox-result.json"),
    )
    with lease(holder, request, timeout=LEASE_SECONDS) as machine:
        return run_command(machine.channel, frame, source)


def script() -> str:
    """The program that runs in the guest."""
    return Path(by_hand_script.__file__).read_text(encoding="utf-8")


def script_settings(cell: Cell) -> dict[str, Any]:
    """What the program is told."""
    return {
        "tool": f"/opt/wheelfarm/bin/{cell.tool}",
        "old": cell.tool == "tox3",
        "environments": cell.environments,
        "inferred": cell.inferred_config,
    }


def by_hand_outcomes(cell: Cell, end: CommandEnd) -> dict[str, EnvironmentOutcome]:
    """How each environment of the cell ended by hand."""
    phases = _phases3(end) if cell.tool == "tox3" else _phases4(end)
    outcomes = {}
    for name in cell.environments:
        content = end.files.get(f"{FOLDER}/{name}.xml")
        tests = read_reports(content) if content else {}
        outcomes[name] = EnvironmentOutcome(phase=phases.get(name, NONE), tests=tests)
    return outcomes


def _phases4(end: CommandEnd) -> dict[str, str]:
    """From the result file of tox 4."""
    try:
        tables = json.loads(end.files[f"{FOLDER}/tox-result.json"])["testenvs"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {name: _phase4(table) for name, table in tables.items() if "result" in table}


def _phase4(table: Mapping[str, Any]) -> str:
    result = table["result"]
    if result.get("skipped"):
        return SKIPPED
    if result.get("success"):
        return SUCCESS
    if table.get("test") or "installed_packages" in table:
        return COMMANDS
    failed = [str(each.get("run_id", "")) for each in table.get("setup", ()) if each.get("retcode")]
    return "install" if any(name.startswith("install_deps") for name in failed) else SETUP


def _phases3(end: CommandEnd) -> dict[str, str]:
    """From the last lines of tox 3, whose result file does not tell how an environment ended."""
    summary = end.log.rpartition("___ summary ___")[2]
    return {match["name"]: _phase3(match["word"]) for match in _SUMMARY.finditer(summary)}


def _phase3(word: str) -> str:
    if word.startswith(("commands succeeded", "ignored failed command")):
        return SUCCESS
    if word.startswith("commands failed"):
        return COMMANDS
    return SKIPPED if word.startswith(("platform mismatch", "SKIPPED")) else SETUP
