"""The OpenAPI document: a golden file, and whole."""

import json
import os

import pytest

from farm_api.v1.application import create_api
from farm_scheduler.database import Database

ACCEPT = "WHEELFARM_ACCEPT=1 .venv/bin/pytest tests/api/v1/test_document.py"


@pytest.fixture
def document(settings):
    """The document as the API gives it."""
    database = Database(settings.record_url)
    yield create_api(database, settings).openapi()
    database.close()


def test_the_document_is_the_golden_file(document, root):
    """`docs/openapi.json` is what the API says of itself: a change of it is seen and accepted by a person."""
    golden = root / "docs/openapi.json"
    wanted = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("WHEELFARM_ACCEPT"):
        golden.write_text(wanted, "utf-8")
    assert golden.read_text("utf-8") == wanted, f"to accept the new document: {ACCEPT}"


def test_every_error_is_in_the_document(document):
    """Each operation tells its answers: one that is good, and problems, as problem+json and nothing else."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            assert {"400", "401", "403", "422", "429", "500", "503"} <= set(answers), (path, method)
            assert method == "get" or {"408", "413"} <= set(answers), (path, method)
            assert any(code.startswith("2") for code in answers), (path, method)
            if "{" in path and method != "patch":
                assert "404" in answers, (path, method)
            for code, answer in answers.items():
                if code.startswith(("4", "5")):
                    assert set(answer["content"]) == {"application/problem+json"}, (path, method, code)


def test_every_operation_says_who_may(document):
    """Each operation names the bearer token, has a summary, a description and a name of its own."""
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert all(each["security"] for each in operations)
    assert all(each["description"] for each in operations)
    names = [each["operationId"] for each in operations]
    assert len(names) == len(set(names))
