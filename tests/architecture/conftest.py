"""The source of the farm, read and parsed once for the tests of the house rules."""

import ast
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("images", "scheduler", "workers", "api", "dashboards")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One Python file of the repository; `name` is its path from the root."""

    name: str
    text: str

    @property
    def room(self) -> bool:
        """Whether it is code of the farm (not a test, not a benchmark)."""
        return self.name.split("/")[0] in ROOMS

    @property
    def guest(self) -> bool:
        """Whether it runs inside other people's interpreters, where the usual tools are not to be had."""
        return "guest_plugins/" in self.name

    @property
    def migration(self) -> bool:
        """Whether it is a step of the record's history, which is written once and never again."""
        return "/migrations/" in self.name

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.text, self.name)

    @cached_property
    def lines(self) -> list[str]:
        """Its lines."""
        return self.text.splitlines()

    @cached_property
    def functions(self) -> dict[str, int]:
        """The length in lines of each function, by where it is."""
        found = [node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS)]
        return {
            f"{self.name}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
            for node in found
        }


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """Every Python file that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    names = sorted(set(listed.stdout.split("\n")) - {""})
    return [
        Source(name=name, text=(ROOT / name).read_text("utf-8")) for name in names if (ROOT / name).is_file()
    ]


@pytest.fixture(scope="session")
def rooms(sources: list[Source]) -> list[Source]:
    """The files of the farm itself."""
    return [source for source in sources if source.room]
