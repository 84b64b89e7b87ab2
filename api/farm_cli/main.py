"""The `wheelfarm` command: finds the subcommand, and turns every end of it into one sentence and an exit code.

The entry point of the distribution; `./farm` becomes this. Subcommands are imported when they are asked for, so
that the command starts fast. Nothing a person can do here ends in a traceback.
"""

import importlib
import io
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

INTERRUPTED = 130
WRONG_USE = 2
FARMS_FAULT = 3

COMMANDS = {
    "run": ("farm_cli.run", "Test a project on every Python and system that the farm has."),
    "plan": ("farm_cli.plan", "Show the cells of a run, and what is left out, without running it."),
    "results": ("farm_cli.results", "Show a run again, or list the newest ones."),
    "queue": ("farm_cli.queue", "Show the jobs that wait, why, and when each is likely to begin."),
    "compare": ("farm_cli.compare", "Show what differs between what two jobs had installed."),
    "logs": ("farm_cli.logs", "Print the log of a job, or follow it while it runs."),
    "rerun": ("farm_cli.rerun", "Run a job that has ended once more, in a fresh machine."),
    "shell": ("farm_cli.shell", "Open a shell in a fresh machine, with a job's source and environments."),
    "cancel": ("farm_cli.cancel", "Cancel a run that is queued or running."),
    "capacity": ("farm_cli.capacity", "Simulate how long a load takes on so many machines."),
    "project": ("farm_cli.project", "Follow projects: their repositories, webhooks and releases."),
    "images": ("farm_cli.images", "List the images of this host and their interpreters."),
    "gc": ("farm_cli.gc", "Remove images, templates and evidence that are not wanted any more."),
    "doctor": ("farm_cli.doctor", "Check this machine line by line, with what to do."),
    "up": ("farm_cli.up", "Keep the farm up and show its runs in the browser."),
    "login": ("farm_cli.login", "Keep a token for a farm elsewhere, for --server."),
    "token": ("farm_cli.token", "Make, list and revoke tokens of the API."),
    "completion": ("farm_cli.completion_script", "Print the script that completes this command in a shell."),
}

HELP = """A build farm for Python: every job in a virtual machine that is used once and thrown away.

\b
Examples:
  wheelfarm run pluggy==1.7.0         a release from the index, its sdist
  wheelfarm run ./myproject           a folder, as it is now
  wheelfarm run six --python 3.12     its newest release, on one Python
  wheelfarm results                   the newest runs
  wheelfarm results RUN --failed      what failed in one of them, with every traceback
  wheelfarm up                        the same in the browser, live
  wheelfarm doctor                    is this machine fit for it?

Everything the farm keeps is below $WHEELFARM_HOME (by default ~/.local/share/wheelfarm).
"""


class FarmGroup(click.Group):
    """The subcommands, in the order in which a person meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of this name, imported now."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_module, text) in COMMANDS.items()])


@click.group(
    cls=FarmGroup,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExit codes: 0 all as expected, 1 a cell is not, 2 wrong use, 3 the farm's own fault, 130 Ctrl-C.",
)
@click.version_option(package_name="wheelfarm", prog_name="wheelfarm")
def cli() -> None:
    """The command itself does nothing; its subcommands do."""


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks is shown as `?`, and is no crash.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = outcome(sys.argv[1:])
    except KeyboardInterrupt:  # once more, while the first one was being told
        code = INTERRUPTED
    sys.exit(code)


def outcome(arguments: Sequence[str]) -> int:
    """Run a command line; its exit code. Says what went wrong on stderr, in one sentence."""
    try:
        result = cli.main(args=list(arguments), prog_name="wheelfarm", standalone_mode=False)
    except click.ClickException as error:
        return _wrong_use(error)
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; what is still buffered must not be flushed into the broken pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except Exception as error:  # noqa: BLE001 - the outermost handler: everything else becomes a sentence here
        return _explain(error)
    return result if isinstance(result, int) else 0


def _wrong_use(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return WRONG_USE
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "wheelfarm"
    return _say(f"{error.format_message().rstrip('.')}; see `{path} --help`", WRONG_USE)


def _explain(error: Exception) -> int:
    from farm_scheduler.disk_room import FULL
    from farm_scheduler.errors import FarmError, exit_code_of
    from farm_scheduler.guest_text import clean

    if isinstance(error, FarmError):
        return _say(clean(error.sentence), exit_code_of(error))
    if isinstance(error, OSError) and error.errno in FULL:
        _forget_output()
        sentence = "there is no room left where this is written; make room, or write it to another disk"
        return _say(sentence, FARMS_FAULT)
    return _say(
        f"the farm failed unexpectedly ({type(error).__name__}); see {_write_traceback()}", FARMS_FAULT
    )


def _forget_output() -> None:
    """Let what stdout still holds go, if it cannot be written: the end of the program would complain once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_traceback() -> Path:
    """Keep the traceback for the maintainers; where it is."""
    from farm_scheduler.home import default_home

    name = f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    home = Path(os.environ.get("WHEELFARM_HOME") or default_home())
    for folder in (home / "logs", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(traceback.format_exc(), encoding="utf-8")
        except OSError:
            continue
        return folder / name
    traceback.print_exc()
    return Path("above")


def _say(sentence: str, code: int) -> int:
    click.echo(f"wheelfarm: {sentence}", err=True)
    return code
