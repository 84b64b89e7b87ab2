"""What two jobs had installed beside each other, and what one had, as people and programs see it.

Called by compare and results. It prints what it is given, made harmless for a terminal; it compares nothing.
"""

from collections.abc import Iterator
from typing import Any

import click

from farm_cli.json_lines import JsonLines
from farm_scheduler.guest_text import clean_line
from farm_scheduler.installed_sets import JobSets
from farm_scheduler.set_comparison import Comparison, Kind, Pair

WORDS = {Kind.OTHER_FILE: "from other files"}
"""Where a person sees another word than a program."""

SIGNS = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~"}


def print_comparison(found: Comparison, *, as_json: bool) -> None:
    """Print two jobs; with `as_json` as one object `comparison`."""
    if as_json:
        JsonLines(click.echo).tell("comparison", **comparison_document(found))
        return
    for line in comparison_lines(found):
        click.echo(clean_line(line) if not line.startswith(" ") else f"  {clean_line(line)}")


def comparison_lines(found: Comparison) -> Iterator[str]:
    """What the command prints; lines that begin with a blank belong to the one above."""
    yield f"{found.first.job_id} · {found.first.label} → {found.second.job_id} · {found.second.label}"
    for pair in found.pairs:
        yield from _pair_lines(pair)
    if found.equal:
        yield "both had the same packages"


def _pair_lines(pair: Pair) -> Iterator[str]:
    if pair.first is None or pair.second is None:
        where = "second" if pair.first is None else "first"
        yield f"{pair.first or pair.second}: only the {where} job had this environment"
        return
    name = pair.first if pair.first == pair.second else f"{pair.first} → {pair.second}"
    counts = [sum(each.kind is kind for each in pair.differences) for kind in Kind]
    said = [
        f"{number} {WORDS.get(kind, kind.value)}" for kind, number in zip(Kind, counts, strict=True) if number
    ]
    yield f"{name}: {', '.join([*said, f'{pair.same} the same'])}"
    for each in pair.differences:
        if each.kind is not Kind.OTHER_FILE:
            versions = (
                f"{each.before} → {each.after}" if each.kind is Kind.CHANGED else each.before or each.after
            )
            yield f"  {SIGNS[each.kind]} {each.name} {versions}"
    others = [each.name for each in pair.differences if each.kind is Kind.OTHER_FILE]
    if others:
        yield f"  the same versions from other files: {', '.join(others)}"


def comparison_document(found: Comparison) -> dict[str, Any]:
    """The fields of `comparison`."""
    return {
        "first": {"job": found.first.job_id, "run": found.first.run_id, "label": found.first.label},
        "second": {"job": found.second.job_id, "run": found.second.run_id, "label": found.second.label},
        "equal": found.equal,
        "environments": [
            {
                "first": pair.first,
                "second": pair.second,
                "same": pair.same,
                "differences": [
                    {"kind": each.kind.value, "name": each.name, "before": each.before, "after": each.after}
                    for each in pair.differences
                ],
            }
            for pair in found.pairs
        ],
    }


def set_lines(found: JobSets) -> Iterator[str]:
    """What one job had, an environment a line."""
    for each in found.sets:
        names = ", ".join(f"{package['name']} {package['version']}" for package in each.packages)
        decided = "" if each.installer == "project" else f", by {each.installer}"
        lock = f" {each.lock.get('path', '')}" if each.lock else ""
        yield f"{each.environment} had{decided}{lock}: {names or 'nothing'}"
        if each.yanked:
            yield f"{each.environment} had withdrawn releases: {', '.join(each.yanked)}"
