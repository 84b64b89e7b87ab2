"""House rule 5: one root exception, stable codes, each of them documented."""

import importlib
import inspect
import os
import pkgutil

import pytest

import farm_api
import farm_cli
import farm_dashboards
import farm_images
import farm_scheduler
import farm_workers
from farm_images.errors import FarmError

ROOMS = (farm_images, farm_scheduler, farm_workers, farm_api, farm_cli, farm_dashboards)
ACCEPT = "WHEELFARM_ACCEPT=1 .venv/bin/pytest tests/architecture/test_errors.py"
HEAD = """# Errors

Every error that the farm raises on purpose has a stable code, which stands in its JSON and in its log. The
sentence of the error itself says what to do. The exit code is that of the command that the error ends: 2 is
wrong use or bad input, 3 the farm's own fault.
"""


@pytest.fixture(scope="module")
def errors():
    """Every class of error that the farm raises on purpose."""
    for room in ROOMS:
        for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
            if module.name.endswith("__main__") or {"guest_plugins", "versions", "env"} & set(
                module.name.split(".")
            ):
                continue
            importlib.import_module(module.name)
    found, waiting = set(), [FarmError]
    while waiting:
        kind = waiting.pop()
        found.add(kind)
        waiting.extend(kind.__subclasses__())
    return sorted((kind for kind in found if kind.__module__.startswith("farm_")), key=lambda kind: kind.code)


def test_every_error_has_a_code_of_its_own(errors):
    """No two error classes share a code, and every class states its own."""
    codes = [kind.code for kind in errors]
    assert [code for code in codes if codes.count(code) > 1] == []
    assert [kind.__name__ for kind in errors if "code" not in vars(kind)] == []


def test_every_code_is_documented(errors, root):
    """`docs/errors.md` has one entry per code with what the class says, in order, and none too many."""
    page = root / "docs/errors.md"
    wanted = "\n".join([HEAD, *(_entry(kind) for kind in errors)])
    if os.environ.get("WHEELFARM_ACCEPT"):
        page.write_text(wanted, "utf-8")
    assert page.read_text("utf-8") == wanted, f"to accept the new page: {ACCEPT}"


def test_every_error_explains_itself(errors):
    """Every error class has a docstring and ends in Error."""
    assert [kind.__name__ for kind in errors if not kind.__doc__ or not kind.__name__.endswith("Error")] == []


def _entry(kind):
    paragraphs = inspect.getdoc(kind).split("\n\n")
    told = [text for text in paragraphs if not text.startswith(("Attributes:", "Args:"))]
    return f"## `{kind.code}`\n\n" + "\n\n".join(told) + f"\n\nExit code {getattr(kind, 'exit_code', 3)}.\n"
