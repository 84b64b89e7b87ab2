"""The systems of the farm as people and programs see them.

Called by the images command. What a machine said of itself is made harmless; nothing is looked up here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from farm_images.catalogue import python_name
from farm_scheduler.guest_text import clean_line
from farm_scheduler.interpreters import name_order
from farm_scheduler.run_report import left_text
from farm_scheduler.states import ImageState
from farm_scheduler.systems import SystemFacts
from farm_scheduler.tables import Image

HEAD = ("python", "version", "from", "tag")
SHORT_DIGEST = 12


def system_document(system: SystemFacts) -> dict[str, Any]:
    """The fields of the JSON object `system`."""
    row = system.row
    return {
        "name": system.name,
        "state": row.state.value if row else ImageState.MISSING.value,
        "digest": row.digest if row else None,
        "baked": row.baked.isoformat() if row and row.baked else None,
        "progress": row.progress if row else 0,
        "left_seconds": row.left_seconds if row else None,
        "bake_seconds": system.bake_seconds,
        "note": _note(system),
        "expected": list(system.expected),
        "interpreters": [_document(each) for each in _sorted(row)],
    }


def system_lines(system: SystemFacts, *, verbose: bool) -> Iterator[str]:
    """A head, and a table of the Pythons; of an image that is not baked, what it will have."""
    row = system.row
    entries = _sorted(row)
    yield "  ".join(part for part in _head(system.name, row, verbose=verbose) if part)
    if row is None or row.state in {ImageState.MISSING, ImageState.FAILED}:
        duration = left_text(system.bake_seconds).removesuffix(" left")
        yield "  the first run that needs it bakes it" + (f", in {duration}" if duration else "")
    if not entries and system.expected:
        yield f"  it should have Python {', '.join(system.expected)}"
    yield from _table([_document(each) for each in entries], verbose=verbose)
    note = _note(system)
    if note:
        yield f"  note: {note}"


def _head(name: str, row: Image | None, *, verbose: bool) -> list[str]:
    state = row.state.value if row else ImageState.MISSING.value
    if row is None:
        return [name, state]
    digest = (row.digest or "").removeprefix("sha256:")
    baked = row.baked.astimezone().strftime("baked %Y-%m-%d %H:%M") if row.baked else ""
    progress = f"{row.progress} %" if row.state == ImageState.BAKING else ""
    return [
        name,
        state,
        progress,
        left_text(row.left_seconds),
        digest[: None if verbose else SHORT_DIGEST],
        baked,
    ]


def _table(entries: Sequence[dict[str, Any]], *, verbose: bool) -> Iterator[str]:
    rows = [[_line(each) for each in _columns(entry)] for entry in entries]
    if not rows:
        return
    widths = [max(len(row[column]) for row in [list(HEAD), *rows]) for column in range(len(HEAD) - 1)]
    for place, row in enumerate([list(HEAD), *rows]):
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        yield f"  {'  '.join([*cells, row[-1]])}".rstrip()
        if verbose and place:
            entry = entries[place - 1]
            yield f"    {_line(entry['path'])}"
            yield from (f"    {_line(tag)}" for tag in entry["tags"])


def _columns(entry: Mapping[str, Any]) -> tuple[object, ...]:
    said = entry["tags"][0].rpartition("-")[0] if entry["tags"] else ""
    if not entry["works"]:
        said = f"does not work: {entry['reason'] or 'it did not start'}"
    return entry["name"], f"{entry['implementation']} {entry['version']}", entry["provider"], said


def _document(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of the record, whoever wrote it: every field is there."""
    implementation, version = str(entry.get("implementation") or "cpython"), str(entry.get("version") or "")
    threaded = entry.get("threaded") is True
    tags = entry.get("tags")
    return {
        "name": python_name(implementation.lower(), ".".join(version.split(".")[:2]), threaded=threaded),
        "version": version,
        "implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(implementation.lower(), implementation),
        "threaded": threaded,
        "provider": str(entry.get("provider") or ""),
        "path": str(entry.get("path") or ""),
        "tags": [str(tag) for tag in tags] if isinstance(tags, list) else [],
        "works": entry.get("works") is True,
        "reason": str(entry.get("reason") or ""),
    }


def _sorted(row: Image | None) -> list[Mapping[str, Any]]:
    entries = row.interpreters if row else []
    return sorted(entries, key=lambda entry: name_order(_document(entry)["name"]))


def _note(system: SystemFacts) -> str:
    return _line(system.row.note) if system.row else ""


def _line(text: object) -> str:
    return clean_line(str(text))
