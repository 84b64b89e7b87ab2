"""Tox's result file (`--result-json`), read as what it is: text from a hostile machine.

Called by results. It keeps the exit status of each environment and what was installed, and never believes more of the
file than the first.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from farm_scheduler.told_sets import ToldSet, read_set

MAX_BYTES = 32 << 20
"""Bytes of the file; more is cut off by the reader of the stream and makes it unreadable."""

MOST_SETS = 1000
"""Environments of which it is kept what they had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentReport:
    """How one environment ended by tox's own account.

    Attributes:
        exit_code: 0 is success; of tox 3, which does not say, the first that is not 0 of its commands.
        skipped: tox left it out, for want of an interpreter or for another platform.
    """

    exit_code: int
    skipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxReport:
    """The environments that tox reports, and what each had installed, where it says so."""

    environments: Mapping[str, EnvironmentReport]
    sets: Mapping[str, ToldSet] = field(default_factory=dict)


def read_report(content: bytes) -> ToxReport | None:
    """The report in a result file; None when it is none."""
    try:
        document = json.loads(content)
        testenvs = document["testenvs"]
        found = {str(name): _environment(table) for name, table in testenvs.items()}
        sets = {str(name)[:200]: read_set(table) for name, table in islice(testenvs.items(), MOST_SETS)}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None
    return ToxReport(
        environments={name: each for name, each in found.items() if each is not None},
        sets={name: each for name, each in sets.items() if each is not None},
    )


def _environment(table: Mapping[str, Any]) -> EnvironmentReport | None:
    result = table.get("result")
    if isinstance(result, Mapping) and "exit_code" in result:
        code = int(result["exit_code"])
        success = result.get("success", code == 0) is True
        return EnvironmentReport(
            exit_code=code if code or success else 1, skipped=result.get("skipped") is True
        )
    executed = [*table.get("setup", ()), *table.get("test", ())]
    if not executed:
        return None
    # A call into a build backend has no exit status of its own (null): the backend lives on.
    codes = [int(code) for each in executed if (code := each.get("retcode", 1)) is not None]
    return EnvironmentReport(exit_code=next((code for code in codes if code), 0))
