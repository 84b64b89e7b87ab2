"""`wheelfarm rerun JOB`: a new attempt of a job that has ended, followed like a run.

Found by main. What comes of it stands in the same run, beside the verdicts of the attempts before; it plans nothing.
"""

import click

from farm_cli.completion import complete_job
from farm_cli.server_option import server_option

HELP = """Run JOB again: the same source and environments, in a fresh machine of the same kind of image.

Its run is open again until the job has ended; the attempts before keep their evidence and their verdicts.

\b
Examples:
  wheelfarm rerun j-4hr2k8wd
  wheelfarm rerun j-4hr2k8wd --json

Exit code and Ctrl-C are those of `wheelfarm run`, for the whole run.
"""


@click.command("rerun", help=HELP)
@click.argument("job", shell_complete=complete_job)
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object a line.")
@server_option
def command(job: str, as_json: bool, server: str | None) -> int:
    """The subcommand; its exit code."""
    if server is not None:
        from farm_cli.server_run import rerun_on_server

        return rerun_on_server(server, job, as_json=as_json)
    from farm_cli.run_follower import Rerun, follow

    return follow(Rerun(job_id=job), as_json=as_json)
