"""`wheelfarm results [RUN]`: the summary of a run once more, its results as files, one job, or the newest runs.

Found by main. It reads the record and the stored streams; it never starts the service.
"""

import contextlib
import gc
from collections.abc import Iterator

import click

from farm_cli.completion import complete_run
from farm_cli.server_option import server_option

HELP = """Show what became of RUN, or of one of its jobs; without RUN, list the newest runs.

\b
Examples:
  wheelfarm results                                  the newest runs
  wheelfarm results --failed                         those that did not end as expected
  wheelfarm results r-7f3k2m9q --failed              what failed, with every traceback
  wheelfarm results r-7f3k2m9q --junit report.xml    for a CI server
  wheelfarm results r-7f3k2m9q --subunit - | subunit2pyunit
  wheelfarm results r-7f3k2m9q --json
  wheelfarm results j-4hr2k8wd --attempt 1           a job: its tries, and of one of them steps and failing tests

With FILE `-` the file goes to stdout, and the summary is not printed. The subunit stream is the evidence of the
newest attempts, packet by packet; its routes are CELL/ENVIRONMENT, such as py3.12-debian-12/py312.
"""

FILE = click.Path(dir_okay=False, allow_dash=True)


@click.command("results", help=HELP)
@click.argument("run", required=False, shell_complete=complete_run)
@click.option(
    "--attempt", type=click.IntRange(min=1), metavar="N", help="With a job: its try N, not the newest."
)
@click.option("--failed", is_flag=True, help="Only the cells to look into, with all that failed in them.")
@click.option("--junit", metavar="FILE", type=FILE, help="Write a JUnit XML report.")
@click.option("--subunit", metavar="FILE", type=FILE, help="Write the evidence as one subunit v2 stream.")
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object a line.")
@server_option
def command(
    run: str | None,
    attempt: int | None,
    *,
    failed: bool,
    junit: str | None,
    subunit: str | None,
    as_json: bool,
    server: str | None,
) -> int:
    """The subcommand; 0 whenever there is something to show."""
    if run is not None and run.startswith("j-"):
        return _job(run, attempt, server, runs_only=failed or bool(junit or subunit) or as_json)
    if attempt is not None:
        raise click.UsageError("--attempt needs a JOB (j-…)")
    if run is None and (junit or subunit):
        raise click.UsageError("--junit and --subunit need a RUN")
    if [junit, subunit, "-" if as_json else None].count("-") > 1:
        raise click.UsageError("only one of --junit, --subunit and --json can have stdout")
    if server is not None:
        return _on_server(server, run, failed=failed, files=(junit, subunit), as_json=as_json)
    with _without_collection():
        return _run(run, failed=failed, junit=junit, subunit=subunit, as_json=as_json)


def _on_server(
    server: str, run: str | None, *, failed: bool, files: tuple[str | None, str | None], as_json: bool
) -> int:
    from farm_cli.server_results import list_runs_of, show_run_of, write_files_of

    if run is None:
        list_runs_of(server, failed=failed, as_json=as_json)
        return 0
    write_files_of(server, run, *files)
    if "-" not in files:
        show_run_of(server, run, failed=failed, as_json=as_json)
    return 0


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """One answer and gone: looking for cycles among all that is imported took a seventh of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _run(run: str | None, *, failed: bool, junit: str | None, subunit: str | None, as_json: bool) -> int:
    from farm_cli.record import open_record
    from farm_cli.results_view import list_runs, show_run
    from farm_cli.run_files import write_junit_file, write_subunit_file

    with open_record() as record:
        if run is None:
            list_runs(record, failed=failed, as_json=as_json)
            return 0
        if junit:
            write_junit_file(record, run, junit)
        if subunit:
            write_subunit_file(record, run, subunit)
        if "-" not in {junit, subunit}:
            show_run(record, run, failed=failed, as_json=as_json)
    return 0


def _job(job: str, attempt: int | None, server: str | None, *, runs_only: bool) -> int:
    if runs_only:
        raise click.UsageError("--failed, --junit, --subunit and --json are for a RUN (r-…)")
    if server is not None:
        from farm_cli.server_job import show_job_of

        show_job_of(server, job, attempt)
        return 0
    from farm_cli.job_view import show_job
    from farm_cli.record import open_record

    with open_record() as record:
        show_job(record, job, attempt)
    return 0
