"""The README of tox-wheelfarm: what it names exists."""

import argparse
import re
from pathlib import Path

import pytest

from tox_wheelfarm import errors

README = Path(__file__).resolve().parents[2] / "workers/tox_wheelfarm/README.md"

PREDECESSOR = {
    "locked_deps",
    "require_locked_deps",
    "install_dev_deps",
    "install_project_deps",
    "poetry_dep_groups",
    "require_poetry",
    "--require-poetry",
    "--parallel-install-threads",
    "--parallelize-locked-install",
}
"""Every option of tox-poetry-installer 0.5.0 to 1.0.0b1, as its releases register them."""

TOX_OWN = {
    "runner",
    "commands",
    "requires",
    "base_python",
    "deps",
    "extras",
    "skip_install",
    "usedevelop",
    "set_env",
}


@pytest.fixture(scope="module")
def text():
    """The page."""
    return README.read_text(encoding="utf-8")


def section(text, title):
    """The part of the page below a heading."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_column(part):
    """The first cell of each row of the tables in a part, without the heads."""
    rows = [line for line in part.splitlines() if line.startswith("| `")]
    return [row.split("|")[1].strip() for row in rows if not row.startswith("| `installer =`")]


def test_the_table_has_every_option_of_the_predecessor(text):
    """The table for those who come from tox-poetry-installer has all of its options, once each."""
    rows = first_column(section(text, "Coming from tox-poetry-installer"))
    assert sorted(rows) == sorted(f"`{name}`" for name in PREDECESSOR)


def test_every_setting_of_the_table_exists(text):
    """A setting that the table names is one that the runner registers."""
    from tox_wheelfarm import options

    named = [row.strip("`") for row in first_column(section(text, "Coming from tox-poetry-installer"))]
    assert [name for name in named if not name.startswith("--") and name not in options.NAMES] == []


def test_every_flag_of_the_page_exists(text):
    """A flag that the page names is one that the plugin adds, tox's own, or one of requirements files."""
    from tox_wheelfarm import flags, requirement_files

    parser = argparse.ArgumentParser()
    flags.add(parser)
    known = {word for action in parser._actions for word in action.option_strings}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    of_files = {*requirement_files.FLAGS, *requirement_files.VALUED, *requirement_files.SAME, "--hash"}
    assert named - known - of_files - requirement_files.SETTINGS == {
        "--runner",
        "--result-json",
        "--recreate",
    }


def test_every_setting_of_the_examples_exists(text):
    """A setting in an example or in `code = …` is one of ours or of tox."""
    from tox_wheelfarm import options

    examples = re.findall(r"^    ([a-z_]+) =", text, re.MULTILINE)
    inline = re.findall(r"`([a-z_]+) = [^`]+`", text)
    assert len(examples) > 5
    assert {*examples, *inline} - set(options.NAMES) - TOX_OWN == set()


def test_every_error_is_on_the_page(text):
    """The table of messages names each class of error, and no other."""
    cells = first_column(section(text, "When tox says …"))
    named = re.findall(r"`(\w+)`", " ".join(cells))
    classes = [
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type)
        and issubclass(kind, errors.InstallerError)
        and kind is not errors.InstallerError
    ]
    assert sorted(named) == sorted(classes)


def test_every_installer_is_on_the_page(text):
    """The table of installers names each of them."""
    from tox_wheelfarm import options

    cells = first_column(section(text, "Say what decides"))
    assert sorted(cell.strip("`") for cell in cells) == sorted(set(options.INSTALLERS) - {"auto"})
