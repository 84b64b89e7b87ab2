"""The whole farm for the machine tests: the command as a process, over one service of the run."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farm_scheduler.settings import Settings

RUN_SECONDS = 1500
"""A run of a few cells, on a busy machine without KVM."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a run said in JSON lines, and its exit code."""

    exit_code: int
    lines: tuple[dict[str, Any], ...]
    errors: str

    @property
    def run(self) -> str:
        """The id of the run."""
        return str(next(line["run"] for line in self.lines if line["type"] == "run"))

    def cells(self) -> dict[str, dict[str, Any]]:
        """The last word on each cell, by label."""
        return {line["label"]: line for line in self.lines if line["type"] == "cell"}


@dataclass(frozen=True, kw_only=True)
class Farm:
    """A home and the command on it."""

    home: Path
    job_seconds: int = RUN_SECONDS

    @property
    def settings(self) -> Settings:
        """The settings of this home."""
        return Settings(home=self.home)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `wheelfarm` with these arguments."""
        environment = {
            **os.environ,
            "WHEELFARM_HOME": str(self.home),
            "WHEELFARM_JOB_SECONDS": str(self.job_seconds),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "farm_cli", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `wheelfarm` with these arguments to its end."""
        process = self.start(*arguments)
        out, errors = process.communicate(timeout=RUN_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def said(process: subprocess.Popen[str]) -> Said:
    """Wait for a run that was started with --json."""
    out, errors = process.communicate(timeout=RUN_SECONDS)
    lines = tuple(json.loads(line) for line in out.splitlines())
    return Said(exit_code=process.returncode, lines=lines, errors=errors)
