"""The conftest of the client's suite on another Python: farms come from a process of the farm's own Python.

Copied beside the suite by `test_old_pythons.py`, which sets FARMS to the command. Nothing but the standard library and
pytest, and no syntax newer than Python 3.9.
"""

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """What runs the asynchronous tests."""
    return request.param


@pytest.fixture(scope="session")
def farms():
    """The process that makes farms."""
    command = json.loads(os.environ["FARMS"])
    where = os.environ["FARMS_ROOT"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=where
    ) as process:
        yield process
        process.stdin.close()
        process.wait(timeout=60)


@pytest.fixture
def farm(farms):
    """A fresh farm with the realistic record, and an admin's token."""
    farms.stdin.write("next\n")
    farms.stdin.flush()
    told = json.loads(farms.stdout.readline())
    settings = SimpleNamespace(home=Path(told["home"]))
    return SimpleNamespace(url=told["url"], token=told["token"], settings=settings)
