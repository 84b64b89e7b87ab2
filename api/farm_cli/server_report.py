"""What a farm elsewhere tells of a run, as the report that screens and summaries know.

Called by the commands with --server. It changes the form only; a word that this version does not know is an error,
never guessed.
"""

from collections import Counter
from typing import Any

from farm_cli.errors import ServerError
from farm_scheduler.guest_text import tail
from farm_scheduler.installers import Installer
from farm_scheduler.run_list import RunLine, Tally
from farm_scheduler.run_report import CellReport, FailingTest, ImageReport, QuestionReport, RunReport
from farm_scheduler.states import ImageState, JobState, QuestionState, RunState
from farm_scheduler.verdicts import Verdict
from wheelfarm_client import Farm, models

LOG_LINES = 20


def read_run(farm: Farm, run: str, *, failing: int = 0) -> RunReport:
    """The run at this moment.

    Raises:
        ServerError: the farm has states or verdicts that are unknown here.
    """
    return to_report(farm.get_report(run, failing=failing))


def to_report(found: models.Report) -> RunReport:
    """The same in the form of the record's reports. Raises ServerError."""
    try:
        return RunReport(
            id=found.id,
            target=found.target,
            project=found.project,
            version=found.version,
            state=RunState(found.state),
            created=found.created,
            finished=found.finished,
            seconds=found.seconds,
            inferred=found.inferred,
            notes=tuple(found.notes),
            exit_code=found.exit_code,
            cells=tuple(_cell(each) for each in found.cells),
            waits_for=tuple(
                ImageReport(
                    name=each.name,
                    state=ImageState(each.state),
                    progress=each.progress,
                    note=each.note,
                    left_seconds=each.left_seconds,
                )
                for each in found.waits_for
            ),
            asks=_question(found.asks),
        )
    except ValueError as error:
        sentence = f"the farm is newer than this command ({error}); install the newer wheelfarm"
        raise ServerError(sentence, problem=str(error)) from error


def _cell(found: models.CellReport) -> CellReport:
    plain: dict[str, Any] = {name: value for name, value in vars(found).items() if name != "failing"}
    plain |= {
        "state": JobState(found.state),
        "verdict": Verdict(found.verdict) if found.verdict else None,
        "expected": Verdict(found.expected),
        "installer": Installer(found.installer),
        "environments": tuple(found.environments),
        "history": tuple(Verdict(each) for each in found.history),
        "failing": tuple(FailingTest(**vars(each)) for each in found.failing),
        "stream_path": None,
    }
    return CellReport(**plain)


def _question(found: models.AskedQuestion | None) -> QuestionReport | None:
    if found is None:
        return None
    return QuestionReport(system=found.system, state=QuestionState(found.state), note=found.note)


def log_ends(farm: Farm, report: RunReport) -> dict[str, str]:
    """The end of the log of each bad cell, by job."""
    passed = [cell for cell in report.cells if cell.verdict is Verdict.FLAKY or cell.unexpected]
    wanted = [cell for cell in report.cells if cell.bad and cell not in passed and cell.attempt_id]
    return {cell.job_id: tail(farm.get_log_piece(str(cell.attempt_id)).text, LOG_LINES) for cell in wanted}


def to_line(run: models.Run, report: RunReport) -> RunLine:
    """A run as it stands in a list."""
    counts = Counter((cell.state, cell.verdict, cell.word) for cell in report.cells)
    tallies = tuple(
        Tally(state=state, verdict=verdict, word=word, cells=number)
        for (state, verdict, word), number in counts.items()
    )
    return RunLine(
        id=run.id,
        target=run.target,
        project=run.project,
        version=run.version,
        state=RunState(run.state),
        created=run.created,
        finished=run.finished,
        seconds=report.seconds,
        inferred=run.inferred,
        exit_code=run.exit_code,
        tallies=tallies,
    )
