"""`wheelfarm completion SHELL`: prints the script that makes a shell complete this command.

Found by main. The scripts are click's; it installs nothing and changes no file.
"""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_WHEELFARM_COMPLETE"
"""What click looks for, after the name of the program."""

HELP = """Print the script that makes SHELL complete this command, with the ids of runs and jobs.

\b
Examples:
  wheelfarm completion bash > ~/.local/share/bash-completion/completions/wheelfarm
  wheelfarm completion zsh > ~/.zfunc/_wheelfarm         with ~/.zfunc in fpath
  wheelfarm completion fish > ~/.config/fish/completions/wheelfarm.fish
"""


@click.command("completion", help=HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """The subcommand; its exit code."""
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"  # noqa: S101 - the choices are click's own names
    root = context.find_root()
    completion = kind(root.command, {}, "wheelfarm", VARIABLE)
    # The template alone: `source()` would start a bash to ask for its version first.
    click.echo(completion.source_template % completion.source_vars())
    return 0
