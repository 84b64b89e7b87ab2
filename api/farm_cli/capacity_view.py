"""A simulation as people and programs see it: figures, bars, or a drawing with one row a machine.

Called by the capacity command. It computes nothing that is not in the simulation.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from farm_cli.screen import seconds_text
from farm_scheduler.capacity import Simulation
from farm_scheduler.errors import InputError
from farm_scheduler.guest_text import clean_line

BARS = 12
BAR_WIDTH = 40
PROJECTS_SHOWN = 20
WIDTH, ROW, LEFT, TOP = 960, 22, 90, 40
COLOURS = ("#3b6ea8", "#c2703d", "#4c8f5b", "#8a5aa5", "#b0453f", "#66788a", "#a58a2e", "#3f8f96")


def capacity_document(found: Simulation) -> dict[str, Any]:
    """The fields of the JSON object `capacity`."""
    return {
        "machines": found.machines,
        "jobs": len(found.work),
        "makespan_seconds": round(found.makespan, 3),
        "bound_seconds": round(found.bound, 3),
        "utilisation": round(found.utilisation, 4),
        "wait_seconds": _waits(found, None),
        "projects": [{"project": name, "wait_seconds": _waits(found, name)} for name in _projects(found)],
    }


def capacity_lines(found: Simulation) -> Iterator[str]:
    """The figures, those of each project, and how busy the machines were over the time."""
    over = found.makespan / found.bound - 1 if found.bound else 0.0
    machines = f"{found.machines} {'machine' if found.machines == 1 else 'machines'}"
    yield f"{len(found.work)} jobs on {machines} are done after {seconds_text(found.makespan)}"
    yield f"  lower bound   {seconds_text(found.bound)} ({over:.1%} above it)"
    yield f"  utilisation   {found.utilisation:.0%}"
    yield f"  waits         {_waits_text(found, None)}"
    names = _projects(found)
    if len(names) > 1:
        yield from (
            f"    {clean_line(name):<20}  {_waits_text(found, name)}" for name in names[:PROJECTS_SHOWN]
        )
        if len(names) > PROJECTS_SHOWN:
            yield f"    and {len(names) - PROJECTS_SHOWN} projects more; see them with --json"
    yield "  machines at work"
    step = found.makespan / BARS
    for number in range(BARS):
        busy = _busy(found, number * step, (number + 1) * step)
        yield f"  {seconds_text(number * step):>9}  {'█' * round(busy * BAR_WIDTH):<{BAR_WIDTH}}  {busy:4.0%}"


def write_svg(found: Simulation, path: str) -> None:
    """Draw one row a machine, one box a job, one colour a project.

    Raises:
        InputError: the file cannot be written.
    """
    scale = (WIDTH - LEFT - 20) / (found.makespan or 1.0)
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(_projects(found))}
    height = TOP + ROW * found.machines + 30
    title = f"{len(found.work)} jobs, {seconds_text(found.makespan)}, {found.utilisation:.0%} busy"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" style="font: 12px sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/><text x="{LEFT}" y="20">{title}</text>',
    ]
    names = range(found.machines)
    lines += [f'<text x="10" y="{TOP + ROW * place + 15}">machine {place + 1}</text>' for place in names]
    for each in found.work:
        told = f"{clean_line(each.project)}: {seconds_text(each.begin)} to {seconds_text(each.end)}"
        place = f'x="{LEFT + each.begin * scale:.1f}" y="{TOP + ROW * each.machine}"'
        size = f'width="{max(0.5, (each.end - each.begin) * scale - 1):.1f}" height="{ROW - 4}"'
        lines.append(
            f'<rect {place} {size} fill="{colours[each.project]}"><title>{escape(told)}</title></rect>'
        )
    try:
        Path(path).write_text("\n".join([*lines, "</svg>", ""]), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); name another file") from error


def _projects(found: Simulation) -> list[str]:
    return list(dict.fromkeys(each.project for each in found.work))


def _waits(found: Simulation, project: str | None) -> dict[str, float]:
    parts = {"median": 0.5, "p90": 0.9, "p99": 0.99, "longest": 1.0}
    return {name: round(found.wait(part, project), 3) for name, part in parts.items()}


def _waits_text(found: Simulation, project: str | None) -> str:
    return "  ".join(f"{name} {seconds_text(value)}" for name, value in _waits(found, project).items())


def _busy(found: Simulation, begin: float, end: float) -> float:
    """The part of the machines' time between two moments in which they worked."""
    worked = sum(max(0.0, min(each.end, end) - max(each.begin, begin)) for each in found.work)
    return worked / ((end - begin) * found.machines) if end > begin else 0.0
