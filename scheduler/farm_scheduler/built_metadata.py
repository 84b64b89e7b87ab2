"""METADATA as a guest built it: text of a stranger, read with bounds into the few facts that a plan uses.

Called by the worker that asked, and by questions, which keep the facts. The text itself is not kept. Nothing is
believed but that the project says so of itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from packaging.metadata import parse_email

from farm_scheduler.guest_text import clean_line
from farm_scheduler.project_metadata import ProjectMetadata, without_strange_python

MAX_BYTES = 1 << 20
"""Bytes of METADATA that are taken at all; it holds the whole README."""

MAX_HEADERS = 128 << 10
"""Characters before the description; the facts stand there."""

MAX_VALUES = 500
MAX_VALUE = 200

SAYS_SO = "its build"
"""Where a requires-python stands that a guest told."""


def read_built_metadata(content: bytes) -> ProjectMetadata | None:
    """The facts of a METADATA file (core metadata); None when it has no name, and so is none.

    What cannot be read of it is left out: a strange classifier is no reason to know nothing.
    """
    text = content[:MAX_BYTES].decode("utf-8", "replace").replace("\r\n", "\n")
    raw, _ = parse_email(text.partition("\n\n")[0][:MAX_HEADERS] + "\n")
    return _metadata(raw) if raw.get("name") else None


def facts_document(metadata: ProjectMetadata) -> dict[str, Any]:
    """The facts for the record."""
    return asdict(metadata)


def read_facts(document: Mapping[str, Any]) -> ProjectMetadata:
    """The facts as the record has them."""
    found = ProjectMetadata(
        **{
            **document,
            "classifiers": tuple(document.get("classifiers", ())),
            "extras": tuple(document.get("extras", ())),
        }
    )
    return without_strange_python(found)


def _metadata(raw: Mapping[str, Any]) -> ProjectMetadata:
    found = ProjectMetadata(
        name=_line(raw.get("name")),
        version=_line(raw.get("version")),
        requires_python=_line(raw.get("requires_python")),
        requires_python_file=SAYS_SO,
        classifiers=tuple(_lines(raw.get("classifiers") or ())),
        extras=tuple(_lines(raw.get("provides_extra") or ())),
    )
    return without_strange_python(found)


def _lines(values: Iterable[object]) -> list[str]:
    found = [_line(value) for value, _ in zip(values, range(MAX_VALUES), strict=False)]
    return [each for each in found if each]


def _line(value: object) -> str | None:
    return clean_line(value)[:MAX_VALUE] or None if isinstance(value, str) else None
