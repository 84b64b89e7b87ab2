"""The test runner: `./farm test [PART…] [-- PYTEST ARGUMENTS]`, the parts of a CI run with the time of each.

Without a part it runs those of a CI run, and with `all` also what takes too long for that: the fault suite, a real
forge, generated requests to the whole API, and the bakes of further systems.
Called by `./farm test`, and so by CI. It never decides what a test is (pytest does) and never passes a part
in which no test ran: skipped tests do not count as run.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
WRONG_USE = 2
UNIT = ("architecture", "images", "scheduler", "workers", "dashboards", "benchmarks")
API = ("api", "client")
PARTS = {
    "unit": UNIT,
    "api": API,
    "postgresql": (*UNIT, *API),
    "services": ("services", "tox_wheelfarm"),
    "faults": ("faults",),
    "forge": ("forge",),
    "rest": ("rest",),
    "vm": ("vm",),
}
FURTHER = ("faults", "forge", "rest")
"""What only `all`, or its name, runs."""

SQLITE = ("-m", "not postgresql")
MARKS = {"unit": SQLITE, "api": SQLITE, "postgresql": ("-m", "postgresql")}
"""The same tests, with the record on SQLite and then on PostgreSQL."""

SECONDS = {
    "unit": 900,
    "api": 900,
    "postgresql": 900,
    "services": 1200,
    "faults": 1200,
    "forge": 600,
    "rest": 900,
    "vm": 3600,
}
MORE_SECONDS = 1200
"""For the further systems of `all`."""

ALL = "WHEELFARM_TEST_ALL"
"""Tells the tests that they were asked for all."""

CHECKS = (
    ("ruff check", ("ruff", "check", "-q", ".")),
    ("ruff format", ("ruff", "format", "-q", "--check", ".")),
    ("mypy", ("mypy", "--no-error-summary")),
    ("lint-imports", ("lint-imports", "--no-cache", "--no-logo")),
)
CHECK_SECONDS = 300
STOP_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one command of a part gave; `counts` is (passed, failed, skipped) for pytest, else None."""

    title: str
    seconds: float
    ok: bool
    note: str = ""
    counts: tuple[int, int, int] | None = None


def main(arguments: Sequence[str]) -> int:
    """Run the parts that are named (CI's without a name); 0 when all are green, 1 when not, 2 wrong use."""
    words, extra = split(arguments)
    unknown = [word for word in words if word not in (*PARTS, "all")]
    if unknown:
        print(f"no such part: {' '.join(unknown)}; the parts are {', '.join(PARTS)} and all", file=sys.stderr)
        return WRONG_USE
    if "all" in words:
        os.environ[ALL] = "1"
    parts = list(dict.fromkeys(words)) or [part for part in PARTS if part not in FURTHER]
    if "all" in words:
        parts = list(PARTS)
    outcomes = [outcome for part in parts for outcome in run_part(part, extra)]
    return report(outcomes)


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The parts, and what stands behind `--` for pytest."""
    words = list(arguments)
    if "--" not in words:
        return words, []
    here = words.index("--")
    return words[:here], words[here + 1 :]


def run_part(part: str, extra: Sequence[str]) -> list[Outcome]:
    """The commands of one part; `unit` has the static checks before its tests."""
    checks = CHECKS if part == "unit" else ()
    programs = Path(sys.executable).parent
    outcomes = [run_check(title, [str(programs / argv[0]), *argv[1:]]) for title, argv in checks]
    outcomes.append(run_pytest(part, extra))
    return outcomes


def run_check(title: str, argv: Sequence[str]) -> Outcome:
    """One static check."""
    print(f"── {title}", flush=True)
    begun = time.monotonic()
    code = run(argv, CHECK_SECONDS)
    return Outcome(title=title, seconds=time.monotonic() - begun, ok=code == 0, note=exit_note(code))


def run_pytest(part: str, extra: Sequence[str]) -> Outcome:
    """The tests of one part; a part without a test that ran is not ok."""
    print(f"── {part}", flush=True)
    folders = [f"tests/{name}" for name in PARTS[part] if (ROOT / "tests" / name).is_dir()]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        junit = Path(folder) / "junit.xml"
        options = ["-q", "--durations=5", "--durations-min=1", f"--junit-xml={junit}"]
        argv = [sys.executable, "-m", "pytest", *options, *MARKS.get(part, ()), *extra, *folders]
        seconds = SECONDS[part] + (MORE_SECONDS if ALL in os.environ else 0)
        code = run(argv, seconds) if folders else 5
        counts = read_counts(junit)
    note = exit_note(code) or ("" if counts[0] + counts[1] else "no test ran")
    return Outcome(title=part, seconds=time.monotonic() - begun, ok=not note, note=note, counts=counts)


def run(argv: Sequence[str], seconds: float) -> int | None:
    """Run a command from the root of the repository; its exit code, or None when its time ran out.

    The command has a process group of its own; what is left of the group goes with it, also on Ctrl-C.
    """
    process = subprocess.Popen(argv, cwd=ROOT, start_new_session=True, stdin=subprocess.DEVNULL)
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the group of a command: politely, then for good."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print("tests: the command did not stop when asked; killing it", file=sys.stderr)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait(timeout=STOP_SECONDS)


def exit_note(code: int | None) -> str:
    """Why a command is not ok, or nothing."""
    if code is None:
        return "its time ran out"
    return {0: "", 5: "no test ran"}.get(code, f"exit code {code}")


def read_counts(junit: Path) -> tuple[int, int, int]:
    """(passed, failed, skipped) of a JUnit file; zeros when pytest did not get to write one."""
    if not junit.exists():
        return 0, 0, 0
    suites = ElementTree.parse(junit).getroot().iter("testsuite")
    totals = [0, 0, 0, 0]
    for suite in suites:
        for place, name in enumerate(("tests", "failures", "errors", "skipped")):
            totals[place] += int(suite.get(name, "0"))
    tests, failures, errors, skipped = totals
    failed = failures + errors
    return max(0, tests - failed - skipped), failed, skipped


def report(outcomes: Sequence[Outcome]) -> int:
    """The closing table, and one plain line with the sums."""
    print()
    for outcome in outcomes:
        print(
            f"{'ok  ' if outcome.ok else 'FAIL'} {outcome.title:<14}{outcome.seconds:8.1f} s  {outcome.note}"
        )
    counted = [outcome.counts for outcome in outcomes if outcome.counts]
    passed, failed, skipped = (sum(count[place] for count in counted) for place in range(3))
    print(f"total: {passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 0 if all(outcome.ok for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
