"""`/followings`, `/projects/PROJECT/following` and `/patterns`: whose releases on the package index become runs.

Included by application. It only says what is followed: a worker looks at the index, never this process.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlmodel import col, select

from farm_api.v1.callers import Admin, Maintainer, Reader, check_reach
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.matches import IfMatch
from farm_api.v1.problems import responses
from farm_api.v1.project_shapes import Following, Pattern
from farm_api.v1.shapes import After, Limit, Page, ProjectName
from farm_scheduler import release_watch, tables
from farm_scheduler.audit import note_change
from farm_scheduler.errors import NotFoundError
from farm_scheduler.projects import find_project
from farm_scheduler.record_pages import read_page
from farm_scheduler.watch_tables import Watch, WatchPattern

router = APIRouter(tags=["releases"], route_class=Door)

PatternPath = Annotated[
    str,
    Path(
        pattern=r"^[^\x00-\x1f\x7f/]{1,100}$",
        description="Names with `*` for any letters and `?` for one; percent-encoded.",
    ),
]


class FollowingPage(Page[Following]):
    """A page of followed projects."""


class PatternPage(Page[Pattern]):
    """A page of patterns."""


@router.get("/followings", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses()})
def list_followings(
    caller: Reader, house: TheHouse, after: After = None, limit: Limit = 100
) -> FollowingPage:
    """The projects whose releases are followed."""
    chosen = select(Watch, tables.Project.name).join(
        tables.Project, col(tables.Project.id) == col(Watch.project_id)
    )
    if caller.project is not None:
        chosen = chosen.where(tables.Project.name == caller.project)
    with house.database.read() as session:
        page = read_page(session, chosen, [col(Watch.project_id)], after=after, limit=limit)
    return FollowingPage(items=[_following(*row) for row in page.rows], next=page.next)


@router.get(
    "/projects/{project}/following", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)}
)
def get_following(caller: Reader, house: TheHouse, project: ProjectName) -> Following:
    """Whether a project's releases are followed (404 where not), and how the last look went."""
    check_reach(caller, project, f"project {project}")
    with house.database.read() as session:
        row = find_project(session, project)
        watch = session.get(Watch, row.id)
    if watch is None:
        raise NotFoundError(f"the releases of {row.name} are not followed", project=row.name)
    return _following(watch, row.name)


@router.put("/projects/{project}/following", responses=responses(404, 413))
def follow_project(caller: Maintainer, house: TheHouse, match: IfMatch, project: ProjectName) -> Following:
    """Follow the releases of a project from now on; what is there counts as known. Twice changes nothing.

    Where the index tells no upload times, the newest release that is there is run, and a note names the others.
    """
    check_reach(caller, project, f"project {project}")
    with house.database.write() as session:
        row = find_project(session, project)
        known = session.get(Watch, row.id)
        match.check(_following(known, row.name) if known else None)
        if release_watch.follow(session, row):
            note_change(session, caller, "project.follow", row.id, project=row.name)
        session.flush()
        watch = session.get_one(Watch, row.id)
    return _following(watch, row.name)


@router.delete("/projects/{project}/following", status_code=204, responses=responses(404))
def unfollow_project(caller: Maintainer, house: TheHouse, match: IfMatch, project: ProjectName) -> Response:
    """Follow its releases no longer; 404 where they are not followed."""
    check_reach(caller, project, f"project {project}")
    with house.database.write() as session:
        row = find_project(session, project)
        watch = session.get(Watch, row.id)
        if watch is None:
            raise NotFoundError(f"the releases of {row.name} are not followed", project=row.name)
        match.check(_following(watch, row.name))
        release_watch.unfollow(session, row)
        note_change(session, caller, "project.unfollow", row.id, project=row.name)
    return Response(status_code=204)


@router.get("/patterns", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses()})
def list_patterns(caller: Reader, house: TheHouse, after: After = None, limit: Limit = 100) -> PatternPage:
    """The patterns of names that are followed."""
    del caller
    with house.database.read() as session:
        keys = [col(WatchPattern.pattern)]
        page = read_page(session, select(WatchPattern), keys, after=after, limit=limit)
        return PatternPage.model_validate({"items": page.rows, "next": page.next})


@router.put("/patterns/{pattern}", responses=responses(404, 413))
def follow_pattern(caller: Admin, house: TheHouse, pattern: PatternPath) -> Pattern:
    """Follow every name that fits, by the index's changelog from now on. Twice changes nothing."""
    known = release_watch.read_pattern(pattern)
    with house.database.write() as session:
        if release_watch.follow_pattern(session, known):
            note_change(session, caller, "project.follow", known)
        session.flush()
        return Pattern.model_validate(session.get_one(WatchPattern, known))


@router.delete("/patterns/{pattern}", status_code=204, responses=responses(404))
def unfollow_pattern(caller: Admin, house: TheHouse, pattern: PatternPath) -> Response:
    """Follow it no longer; 404 where it is not followed. Projects that it has made stay."""
    known = release_watch.read_pattern(pattern)
    with house.database.write() as session:
        if not release_watch.unfollow_pattern(session, known):
            raise NotFoundError(f"{known} is not followed", pattern=known)
        note_change(session, caller, "project.unfollow", known)
    return Response(status_code=204)


def _following(watch: Watch, project: str) -> Following:
    return Following(project=project, looked=watch.looked, next_look=watch.next_look, note=watch.note)
