"""What the distribution is: generated whole, complete, and light."""

import ast
import dataclasses
import inspect
import json
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from wheelfarm_client import AsyncFarm, Farm, models

from .generated import PAIRS, ROOT, generate

PACKAGE = ROOT / "api/client/wheelfarm_client"
HERE = "to write it anew: .venv/bin/python -m tests.client.generated"


@pytest.fixture(scope="module")
def document():
    """The API's golden document."""
    return json.loads((ROOT / "docs/openapi.json").read_text("utf-8"))


def test_the_plain_twin_is_generated_whole():
    """Every file of it is what the generator gives now, and there is no other."""
    found = dict(generate())
    for path, text in found.items():
        assert path.read_text("utf-8") == text, HERE
    present = {path for _, target in PAIRS for path in target.glob("*.py")}
    assert present == set(found)


def test_every_operation_has_a_method(document):
    """What the API can do, both kinds of farm can, under the same name and explained."""
    names = {each["operationId"] for path in document["paths"].values() for each in path.values()}
    for kind in (AsyncFarm, Farm):
        assert {name for name in names if not hasattr(kind, name)} == set()
        assert {name for name in names if not inspect.getdoc(getattr(kind, name))} == set()


def test_models_are_those_of_the_document(document):
    """Each model has the fields of the shape of its name, and the same of them may be null."""
    for name, kind in vars(models).items():
        if not dataclasses.is_dataclass(kind):
            continue
        shape = document["components"]["schemas"][name]["properties"]
        hints = typing.get_type_hints(kind)
        assert set(hints) == set(shape), name
        for field, told in shape.items():
            null = any(each.get("type") == "null" for each in told.get("anyOf", []))
            assert (type(None) in typing.get_args(hints[field])) == null, f"{name}.{field}"


def test_every_answer_has_a_model(document):
    """No shape that an operation answers with is without a model, but pages and lists, which are iterated."""
    known = set(vars(models)) | {"Problem", "Steps", "Artifacts", "WebhookSecrets", "Listeners"}
    for path in document["paths"].values():
        for each in path.values():
            text = json.dumps(list(each["responses"].values()))
            for name in document["components"]["schemas"]:
                if f'schemas/{name}"' in text and not name.endswith("Page"):
                    assert name in known, name


def test_no_backend_is_imported_until_it_is_used():
    """The import brings neither asyncio nor trio, and not even what could bring them."""
    code = (
        "import sys, wheelfarm_client; "
        "sys.exit(str([m for m in sys.modules if m in ('trio', 'asyncio', 'anyio', 'httpx')] or ''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == "\n" or not done.stderr


def test_paths_are_made_in_one_place():
    """No path is put together where it is used: a name in it could lead elsewhere."""
    for path in sorted((PACKAGE / "asynchronous").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                assert not ast.unparse(node)[2:].startswith("/"), f"{path.name}:{node.lineno}"


def test_it_is_python_3_9():
    """Nothing in it is newer than the oldest Python that it is for."""
    for path in sorted(Path(PACKAGE).rglob("*.py")):
        ast.parse(path.read_text("utf-8"), str(path), feature_version=(3, 9))
