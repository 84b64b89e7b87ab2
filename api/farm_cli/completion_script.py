"""`wheelfarm completion SHELL`: prints the script that makes a shell complete `farm` and `wheelfarm`, which it becomes.

Found by main. The scripts are click's, for both names and with the path of the program, which is on nobody's PATH in a
clone; it installs nothing and changes no file.
"""

import shlex
import sys
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from farm_cli.server_option import here_only

VARIABLE = "_WHEELFARM_COMPLETE"
"""What click looks for, after the name of the program."""

HELP = """Print the script that makes SHELL complete `./farm` and `wheelfarm`, with the ids of runs and jobs.

\b
Examples:
  source <(./farm completion bash)                       for this shell; ~/.bashrc for every one
  ./farm completion zsh > ~/.zfunc/_farm                 with ~/.zfunc in fpath
  ./farm completion fish > ~/.config/fish/completions/farm.fish
"""

NAMES = {
    "bash": [("$1)", "{program})"), ("_completion wheelfarm\n", "_completion wheelfarm farm\n")],
    "zsh": [
        ("#compdef wheelfarm", "#compdef wheelfarm farm"),
        ("(( ! $+commands[wheelfarm] )) && return 1", "[[ -x {program} ]] || return 1"),
        ("zsh_complete wheelfarm)", "zsh_complete {program})"),
        ("_completion wheelfarm\n", "_completion wheelfarm farm\n"),
    ],
    "fish": [
        ("(commandline -t) wheelfarm)", "(commandline -t) {program})"),
        ("--command wheelfarm", "--command wheelfarm --command farm"),
    ],
}
"""What is changed in click's script for each shell."""


@click.command("completion", help=HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@here_only("the script is for a shell of this machine")
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """The subcommand; its exit code."""
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"  # noqa: S101 - the choices are click's own names
    root = context.find_root()
    completion = kind(root.command, {}, "wheelfarm", VARIABLE)
    # The template alone: `source()` would start a bash to ask for its version first.
    script = completion.source_template % completion.source_vars()
    program = shlex.quote(str(Path(sys.executable).with_name("wheelfarm")))
    for theirs, ours in NAMES[shell]:
        script = script.replace(theirs, ours.format(program=program))
    click.echo(script)
    return 0
