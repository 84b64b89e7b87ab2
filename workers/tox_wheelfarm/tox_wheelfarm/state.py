"""What is known of an environment: what it was made from, and what was put into it.

The file is written last and removed before anything is changed, so that an environment without it is half-made. It
never holds the version of uv or virtualenv: an upgrade of those changes no environment.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tox_wheelfarm.interpreter import Interpreter, ask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = ".tox-wheelfarm.json"
FORMAT = 1
LIMIT = 16 * 2**20
"""Bytes; a larger file is not ours."""


class Made(NamedTuple):
    """What an environment is made from.

    Attributes:
        path: where it stands; scripts in it name it.
        interpreter: its base.
        system_site_packages: whether it sees its base's packages.
        seeds: what of pip, setuptools and wheel was asked for.
    """

    path: str
    interpreter: Interpreter
    system_site_packages: bool
    seeds: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """What an environment is, when it is whole.

    Attributes:
        made: what it is made from.
        order: fingerprints of what was asked for and is there, by phase; empty right after its creation.
        releases: the fingerprint of each release that was decided on, by normalised name.
        versions: what was installed, by normalised name, when the file was written.
        record: what the result of a run says of it.
        folders: the seal of its packages (`seal`).
        sources: how the folders and files looked that releases were installed from (`sources`).
        read: the digests of the files that a lock file was read with (`locked.Reading`).
        pages: what uv's cache had heard of an index when the withdrawals in the record were looked up
            (`last_decision.pages`).
        verified: whether every file of it was looked at (`verification`).
    """

    made: Made
    order: Mapping[str, str] = field(default_factory=dict)
    releases: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    folders: Mapping[str, int] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    read: Mapping[str, str] = field(default_factory=dict)
    pages: str = ""
    verified: bool = True

    def write(self, folder: Path) -> None:
        """Write it into an environment, whole or not at all."""
        held = {
            "format": FORMAT,
            "path": self.made.path,
            "interpreter": self.made.interpreter.as_json(),
            "system_site_packages": self.made.system_site_packages,
            "seeds": list(self.made.seeds),
            "order": dict(self.order),
            "releases": dict(self.releases),
            "versions": dict(self.versions),
            "record": dict(self.record),
            "folders": dict(self.folders),
            "sources": dict(self.sources),
            "read": dict(self.read),
            "pages": self.pages,
            "verified": self.verified,
        }
        fresh = folder / f"{NAME}.{os.getpid()}"
        fresh.write_text(json.dumps(held), "utf-8")
        fresh.replace(folder / NAME)


def read(folder: Path) -> State | None:
    """The state of an environment, or None where it is not whole."""
    path = folder / NAME
    try:
        if path.is_symlink() or path.stat().st_size > LIMIT:
            return None
        held = json.loads(path.read_text("utf-8"))
        if held["format"] != FORMAT:
            return None
        interpreter = Interpreter.from_json(held["interpreter"])
        made = Made(held["path"], interpreter, held["system_site_packages"], tuple(held["seeds"]))
        told = {name: dict(held[name]) for name in ("order", "releases", "versions", "record")}
        later = {name: dict(held.get(name, {})) for name in ("folders", "sources", "read")}
        verified, pages = bool(held.get("verified", True)), str(held.get("pages", ""))
        return State(made, **told, **later, pages=pages, verified=verified)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remove(folder: Path) -> None:
    """Mark an environment as half-made, before anything in it is changed."""
    (folder / NAME).unlink(missing_ok=True)


def difference(old: Made, new: Made) -> str:
    """Why an environment cannot be kept, in a few words; "" if it can.

    Args:
        old: what it was made from.
        new: what it would be made from now; the interpreter as discovered, not asked anew.
    """
    if old.path != new.path:
        return f"it was moved here from {old.path}"
    if old.interpreter.executable != new.interpreter.executable:
        return f"its interpreter was {old.interpreter.executable} and is now {new.interpreter.executable}"
    if not old.interpreter.same_build(new.interpreter):
        return f"its interpreter {new.interpreter.executable} was built anew"
    if old.system_site_packages != new.system_site_packages:
        return f"system_site_packages was {old.system_site_packages}"
    if old.seeds != new.seeds:
        return f"its seeds were {', '.join(old.seeds) or 'none'}"
    return ""


def current(executable: Path, known: State | None) -> Interpreter:
    """The interpreter as it is now; it is started only if its file is not the one that is known.

    Raises:
        InterpreterError: it cannot be started.
    """
    held = known.made.interpreter if known else None
    if held is not None and held.executable == str(executable) and held.untouched():
        return held
    return ask(executable)


def touched(state: State, made: Made) -> State:
    """The same state with what its interpreter's file is now (a copy of the same bytes is the same)."""
    return replace(state, made=made)
