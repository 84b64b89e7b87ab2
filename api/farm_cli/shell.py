"""`wheelfarm shell JOB`: a shell in a fresh machine with the job's source, its environments made.

Found by main. It holds the service and gives the terminal to a process of the hands; afterwards it puts the terminal
back as it was, whatever became of that process. It records nothing.
"""

import click

from farm_cli.completion import complete_job
from farm_cli.server_option import here_only

HELP = """Open a shell in a fresh machine of JOB's kind: its source is there, and tox has made its environments.

You are the user `job`, in the project's folder; `python` is the first environment's own. The machine reaches the
package index and nothing else. It is destroyed with the shell, or with the connection, or when its time is over
(WHEELFARM_SHELL_SECONDS, by default 4 h; WHEELFARM_SHELL_IDLE_SECONDS without a key, by default 30 min).

\b
Examples:
  wheelfarm shell j-4hr2k8wd
  wheelfarm shell j-4hr2k8wd -- tox run -e py312 -- -k test_it
  wheelfarm shell j-4hr2k8wd -- cat build.log > build.log

With COMMAND, or where stdin or stdout is no terminal, pipes work: stdin goes in, stdout and stderr come out apart.
The exit code is that of the shell or command (128 + N after signal N); 124 when a limit ended it, 2 or 3 with a
sentence when there was none.
"""


@click.command("shell", help=HELP)
@click.argument("job", shell_complete=complete_job)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@here_only("its machine is one of this host; log in to the farm's host and call it there")
def command(job: str, command: tuple[str, ...]) -> int:
    """The subcommand; the exit code of what ran."""
    from farm_cli.record import open_record
    from farm_cli.shell_process import run_shell
    from farm_scheduler.shells import read_shell_job

    with open_record() as record:
        read_shell_job(record.database, record.settings, job)  # what can be refused is refused at once
        settings = record.settings
    return run_shell(settings, job, command)
