"""Schemathesis over the whole OpenAPI document: no input leads to an answer that is not documented."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from farm_scheduler.database import Database
from farm_scheduler.roles import LOCAL, Role
from farm_scheduler.schema import upgrade
from farm_scheduler.tokens import make_token

from ..api.serving import served
from ..conftest import fill

EXAMPLES = 8
SECONDS = 420
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
)


@pytest.mark.parametrize("role", [None, Role.ADMIN])
def test_no_input_leads_out_of_the_document(settings, record_url, role, tmp_path):
    """Every operation, with good and bad values, with and without a token, answers as the document says."""
    settings = settings.model_copy(update={"database_url": record_url, "requests_per_minute": 1_000_000})
    database = Database(record_url)
    upgrade(database)
    fill(database, settings)
    headers = []
    if role is not None:
        with database.write() as session:
            _, secret = make_token(session, LOCAL, name="fuzz", role=role)
        headers = ["-H", f"Authorization: Bearer {secret}"]
    database.close()
    with served(settings) as client:
        base = f"{client.base_url}/api/v1"
        document = client.get("/api/v1/openapi.json").json()
        (tmp_path / "openapi.json").write_text(json.dumps(document))
        program = str(Path(sys.executable).with_name("schemathesis"))
        argv = [program, "run", str(tmp_path / "openapi.json"), "--url", base, *headers]
        argv += ["--checks", ",".join(CHECKS), "--max-examples", str(EXAMPLES), "--seed", "1", "--phases"]
        argv += [
            "examples,coverage,fuzzing",
            "--exclude-path-regex",
            "[}g]/events$",  # of live events, which do not end by themselves
            "--no-color",
            "--workers",
            "1",
        ]
        argv += ["--exclude-operation-id", "revoke_token", "--request-timeout", "30"]
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=tmp_path
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
