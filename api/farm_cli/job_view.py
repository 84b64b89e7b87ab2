"""One job of the record: its tries, and of one of them the steps, the tests to look at and the end of the log.

Called by results. It prints; it never waits and never starts the service.
"""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from farm_cli.compare_view import set_lines
from farm_cli.record import Record
from farm_cli.screen import seconds_text
from farm_cli.summary import LOG_LINES, TESTS_SHOWN, print_block, print_test, summary_console
from farm_scheduler.guest_text import clean_line, tail
from farm_scheduler.installed_sets import JobSets, find_sets
from farm_scheduler.job_log import log_tail
from farm_scheduler.job_report import JobReport, read_job, run_of
from farm_scheduler.outcomes import Outcome, OutcomePage, read_outcomes


def show_job(record: Record, job_id: str, number: int | None) -> None:
    """Print the job with its try `number`, or the newest.

    Raises:
        NotFoundError: there is no such job or try.
    """
    with record.database.read() as session:
        job = read_job(session, run_of(session, job_id), job_id, number)
        tests = read_outcomes(session, job.attempt.id, outcome=Outcome.FAILED) if job.attempt else None
        sets = find_sets(session, job_id)
    end = None
    if job.attempt is not None and job.attempt.stream_path is not None:
        end = log_tail(record.settings.home / job.attempt.stream_path, LOG_LINES)
    print_job(job, tests, end, sets)


def print_job(job: JobReport, tests: OutcomePage | None, end: str | None, sets: JobSets | None) -> None:
    """Print a job of anywhere: `tests` are the failing ones of its attempt, `end` is the end of its log.

    `sets` is what it had installed, None where nobody knows.
    """
    console = summary_console()
    _print_head(console, job)
    if job.attempt is None or tests is None:
        console.print(Text("it never ran", style="dim"))
        return
    _print_steps(console, job)
    for line in set_lines(sets) if sets is not None else ():
        console.print(Text(clean_line(line)), soft_wrap=True)
    _print_tests(console, tests)
    _print_log(console, job, job.attempt.number, end)


def _print_head(console: Console, job: JobReport) -> None:
    title = (
        f"{job.cell.job_id} · {clean_line(job.run.title)} · {clean_line(job.cell.label)} · {job.cell.word}"
    )
    console.print(Text(title, style="bold"))
    if job.cell.reason:
        console.print(Text(clean_line(job.cell.reason)))
    for each in reversed(job.attempts):
        here = "▸" if job.attempt and each.number == job.attempt.number and len(job.attempts) > 1 else " "
        facts = [f"{here} try {each.number}", each.word, seconds_text(each.seconds), each.machine or ""]
        reason = clean_line(each.reason or "")
        console.print(Text("  ".join(filter(None, [*facts, reason]))))


def _print_steps(console: Console, job: JobReport) -> None:
    console.print()
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for step in job.steps:
        if step.name != "job":
            texts = (step.environment or "", step.name, step.status, seconds_text(step.seconds))
            table.add_row(*(Text(clean_line(text)) for text in texts))
    console.print(table)


def _print_tests(console: Console, tests: OutcomePage) -> None:
    found = {outcome.value: number for outcome, number in tests.counts.items() if number}
    total = found.pop(Outcome.ALL.value, 0)
    counts = ", ".join(f"{number} {word}" for word, number in found.items())
    console.print()
    console.print(
        Text(f"{total} test{'s' if total > 1 else ''}: {counts}" if total else "no test reported a result")
    )
    for test in tests.tests[:TESTS_SHOWN]:
        print_test(console, test)
    if tests.found > TESTS_SHOWN:
        console.print(Text(f"… and {tests.found - TESTS_SHOWN} more", style="dim"))


def _print_log(console: Console, job: JobReport, number: int, end: str | None) -> None:
    if end is None:
        console.print(Text("there is no log (any more)", style="dim"))
        return
    whole = f"wheelfarm logs {job.cell.job_id} --attempt {number}"
    console.print(Text(f"the end of the log (all of it: {whole})", style="dim"))
    print_block(console, tail(end, LOG_LINES))
