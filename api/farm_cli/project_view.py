"""What `wheelfarm project list` shows: a line per project, and one per pattern that is followed.

Called by the command with a session of the record, and by server_project with what a farm elsewhere told. It decides
nothing and changes nothing.
"""

from collections.abc import Iterator
from typing import TypeAlias

from sqlmodel import Session, col, select

from farm_scheduler.event_tables import Event
from farm_scheduler.guest_text import clean_line
from farm_scheduler.projects import list_projects
from farm_scheduler.redelivery_tables import Relook
from farm_scheduler.tables import Project
from farm_scheduler.watch_tables import Changelog, Watch, WatchPattern
from wheelfarm_client import models

Followed: TypeAlias = Project | models.Project
Watched: TypeAlias = Watch | models.Following
LastEvent: TypeAlias = Event | models.Event


def lines(session: Session) -> Iterator[str]:
    """The lines."""
    projects = list_projects(session)
    patterns = list(session.exec(select(WatchPattern.pattern).order_by(WatchPattern.pattern)))
    if not projects and not patterns:
        yield "no project yet; wheelfarm project add NAME --repository URL"
    for project in projects:
        yield _line(session, project)
    for pattern in patterns:
        yield f"{pattern}  releases of every name that fits are followed"
    for changelog in session.exec(select(Changelog)):
        if changelog.note is not None:
            yield f"the changelog was not read: {clean_line(changelog.note)}"


def project_line(
    project: Followed, watch: Watched | None, last: LastEvent | None, relook: Relook | None = None
) -> str:
    """A project, of this farm or of one elsewhere, with what is followed of it and what came last."""
    parts = [project.name]
    if project.repository is not None:
        parts.append(f"{project.forge} {project.repository}")
    if watch is not None:
        parts.append("releases followed" + (f" ({clean_line(watch.note)})" if watch.note else ""))
    if relook is not None:
        parts.append("redelivery" + (f" ({clean_line(relook.note)})" if relook.note else ""))
    if project.weight != 1:
        parts.append(f"weight {project.weight:g}")
    if project.quota is not None:
        parts.append(f"quota {project.quota}")
    if project.paused:
        parts.append("paused")
    if last is not None:
        why = f": {clean_line(last.reason)}" if last.reason else ""
        parts.append(f"last event {last.trigger} {clean_line(last.ref or last.target)} {last.state}{why}")
    return "  ".join(parts)


def _line(session: Session, project: Project) -> str:
    chosen = select(Event).where(Event.project_id == project.id)
    last = session.exec(chosen.order_by(col(Event.created).desc()).limit(1)).first()
    watch, relook = session.get(Watch, project.id), session.get(Relook, project.id)
    return project_line(project, watch, last, relook)
