"""Test by test, does the farm say what tox by hand says? `python -m benchmarks.agreement TARGET…`.

Each target is run as `wheelfarm run` does it. Then, for each cell, a person's work is done: a clone of the same image,
the same source, plain tox, pytest's own reports. It prints what agrees and every difference. Exit codes: 0 all agrees,
1 something differs, 3 the farm's own fault.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from sqlmodel import col, select

from benchmarks.differences import CellComparison, compare
from benchmarks.environment_outcomes import farm_outcomes
from benchmarks.tox_by_hand import by_hand_outcomes, run_by_hand
from farm_cli.interruption import Interruption
from farm_cli.plain_lines import PlainLines
from farm_cli.record import Record, open_record
from farm_cli.run_follower import NewRun, RunFollower
from farm_cli.service import Service
from farm_images.catalogue import read_image
from farm_images.wire import LimitsFrame
from farm_scheduler.errors import FarmError, RecordError, exit_code_of
from farm_scheduler.plan import Narrowing
from farm_scheduler.run_report import RunReport
from farm_scheduler.sources import source_path
from farm_scheduler.tables import Attempt, Cell, Job, Run
from farm_workers.leases import LeaseRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """One cell of a run of the farm, and its newest attempt."""

    cell: Cell
    verdict: str
    attempt: Attempt
    source_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetComparison:
    """All cells of one target."""

    target: str
    run: str
    cells: tuple[CellComparison, ...]

    @property
    def agrees(self) -> bool:
        """Whether something was compared and nothing differs."""
        return bool(self.cells) and not any(cell.differences for cell in self.cells)


def main() -> int:
    """Compare every target; the exit code."""
    arguments = _parser().parse_args()
    narrowing = Narrowing(pythons=tuple(arguments.python), systems=tuple(arguments.os))
    try:
        with open_record() as record, Service(record.settings) as service:
            service.wait_until_ready()
            comparison = Comparison(record, narrowing, as_json=arguments.json)
            return comparison.run(arguments.targets)
    except FarmError as error:
        print(error.sentence, file=sys.stderr)
        return exit_code_of(error)
    except KeyboardInterrupt:
        return 130


class Comparison:
    """All targets, one after the other on the farm; by hand each is done while the farm runs the next.

    A target that the farm or the person's machine cannot do is told, and the others go on.
    """

    def __init__(self, record: Record, narrowing: Narrowing, *, as_json: bool) -> None:
        self._record = record
        self._narrowing = narrowing
        self._as_json = as_json
        self._compared: list[TargetComparison] = []
        self._broken = 0

    def run(self, targets: Sequence[str]) -> int:
        """Compare them and show it; the exit code of the command."""
        with ThreadPoolExecutor(max_workers=self._record.settings.slots) as pool:
            try:
                self._compare_all(targets, pool)
            except KeyboardInterrupt:
                print("ending; what is done by hand just now is waited for", file=sys.stderr)
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if not self._as_json:
            _show_end(self._compared)
        if self._broken:
            return 3
        return 0 if all(each.agrees for each in self._compared) else 1

    def _compare_all(self, targets: Sequence[str], pool: ThreadPoolExecutor) -> None:
        waiting: list[_Waiting] = []
        for target in targets:
            with self._telling(target):
                waiting.append(self._begin(target, pool))
            while waiting and waiting[0].done():
                self._finish(waiting.pop(0))
        for each in waiting:
            self._finish(each)

    def _begin(self, target: str, pool: ThreadPoolExecutor) -> "_Waiting":
        report = run_target(self._record, target, self._narrowing)
        cells = [
            pool.submit(_compare_cell, self._record, each, target) for each in _cells(self._record, report)
        ]
        return _Waiting(target=target, run=report.id, cells=tuple(cells))

    def _finish(self, waiting: "_Waiting") -> None:
        with self._telling(waiting.target):
            cells = tuple(cell.result() for cell in waiting.cells)
            compared = TargetComparison(target=waiting.target, run=waiting.run, cells=cells)
            self._compared.append(compared)
            _show(compared, as_json=self._as_json)
            sys.stdout.flush()

    @contextmanager
    def _telling(self, target: str) -> Iterator[None]:
        try:
            yield
        except FarmError as error:
            self._broken += 1
            print(f"{target}: {error.sentence}", file=sys.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A target that the farm is done with, and whose cells are done by hand now."""

    target: str
    run: str
    cells: tuple[Future[CellComparison], ...]

    def done(self) -> bool:
        """Whether nothing is waited for."""
        return all(cell.done() for cell in self.cells)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="as for wheelfarm run")
    parser.add_argument("--python", action="append", default=[], metavar="X.Y", help="only this Python")
    parser.add_argument("--os", action="append", default=[], metavar="NAME", help="only this system")
    parser.add_argument("--json", action="store_true", help="one object a target: run, cells, differences")
    return parser


def run_target(record: Record, target: str, narrowing: Narrowing) -> RunReport:
    """Run a target on the farm, to its end.

    Raises:
        FarmError: the run could not be submitted.
        KeyboardInterrupt: the person wants out; the run is cancelled.
    """
    interruption = Interruption()
    screen = PlainLines(lambda line: print(line, file=sys.stderr))
    with interruption.listening():
        report = RunFollower(record, screen, interruption).run(NewRun(target=target, narrowing=narrowing))
    if interruption.wishes:
        raise KeyboardInterrupt
    return report


def _cells(record: Record, report: RunReport) -> list[_Done]:
    with record.database.read() as session:
        run = session.get_one(Run, report.id)
        rows = session.exec(
            select(Cell, Job, Attempt)
            .join(Job, col(Job.cell_id) == col(Cell.id))
            .join(Attempt, col(Attempt.job_id) == col(Job.id))
            .where(Cell.run_id == run.id)
            .order_by(col(Cell.position), col(Attempt.number))
        ).all()
    newest = {cell.id: (cell, job, attempt) for cell, job, attempt in rows}
    return [
        _Done(cell=cell, verdict=job.verdict or "none", attempt=attempt, source_sha256=run.source_sha256)
        for cell, job, attempt in newest.values()
    ]


def _compare_cell(record: Record, done: _Done, target: str) -> CellComparison:
    settings = record.settings
    cell, attempt = done.cell, done.attempt
    if attempt.image_digest is None:
        sentence = f"{target}, {cell.label} had no machine ({attempt.reason}); there is nothing to compare"
        raise RecordError(sentence)
    image = read_image(settings.images / cell.system / attempt.image_digest)
    request = LeaseRequest.of(image, memory_mib=settings.memory_mib, vcpus=settings.vcpus)
    limits = LimitsFrame(seconds=settings.job_seconds, log_bytes=settings.log_bytes)
    source = source_path(settings, done.source_sha256)
    end = run_by_hand(settings.holder_socket, request, cell, source, limits)
    with record.database.read() as session:
        farm = farm_outcomes(session, attempt.id, cell.environments)
    return compare(cell.label, done.verdict, end.exit_code, farm, by_hand_outcomes(cell, end))


def _show(compared: TargetComparison, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(dataclasses.asdict(compared) | {"agrees": compared.agrees}), flush=True)
        return
    print(f"\n{compared.target} (run {compared.run})")
    print(f"  {'cell':24}{'farm':18}{'tox by hand':14}{'environments':>12}{'agree':>8}{'differ':>8}")
    for cell in compared.cells:
        code = "ended" if cell.exit_code is None else f"exit {cell.exit_code}"
        counts = f"{cell.environments:12}{cell.tests_agree:8}{cell.tests_differ:8}"
        print(f"  {cell.cell:24}{cell.verdict:18}{code:14}{counts}")
    for cell in compared.cells:
        for name in cell.unreported:
            print(f"  {cell.cell} {name}: pytest died in a test, by hand as well, so it left no report")
        for each in cell.differences:
            what = each.test or "the environment"
            print(f"  {each.cell} {each.environment}: {what}: farm {each.farm}, by hand {each.by_hand}")


def _show_end(compared: Sequence[TargetComparison]) -> None:
    cells = [cell for each in compared for cell in each.cells]
    agree = sum(not cell.differences for cell in cells)
    tests = sum(cell.tests_agree for cell in cells)
    differ = sum(cell.tests_differ for cell in cells)
    print(f"\n{agree} of {len(cells)} cells agree; {tests} tests agree, {differ} differ")


if __name__ == "__main__":
    sys.exit(main())
