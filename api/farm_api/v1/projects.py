"""`/projects`: the projects that the farm follows.

Included by application. What a project's runs found is below `/runs`; nothing of a project is fetched here.
"""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import col, select

from farm_api.v1.callers import Admin, Maintainer, Reader, check_reach
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, REPEATABLE, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.matches import IfMatch
from farm_api.v1.problems import responses
from farm_api.v1.project_shapes import Removal
from farm_api.v1.shapes import NAME, After, Limit, Page, Project, ProjectName
from farm_scheduler import tables
from farm_scheduler.audit import note_change
from farm_scheduler.errors import AccessError, InputError
from farm_scheduler.git_access import check_url
from farm_scheduler.project_removal import remove_project
from farm_scheduler.projects import (
    GREATEST_WEIGHT,
    LARGEST_QUOTA,
    LEAST_WEIGHT,
    add_project,
    find_project,
    place_project,
)
from farm_scheduler.record_pages import read_page
from farm_scheduler.roles import Role

router = APIRouter(prefix="/projects", tags=["projects"], route_class=Door)


class ProjectPage(Page[Project]):
    """A page of projects."""


Forge = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Repository = Annotated[str, Field(pattern=r"^https?://[!-~]{1,400}$")]
Weight = Annotated[float, Field(ge=LEAST_WEIGHT, le=GREATEST_WEIGHT)]
Quota = Annotated[int, Field(ge=0, le=LARGEST_QUOTA)]
FOR_ADMINS = ("weight", "quota", "repository", "forge")


class NewProject(BaseModel):
    """A project to follow."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(pattern=NAME)]
    forge: Forge | None = None
    """What the repository's host runs, where the farm does not know it."""
    repository: Repository | None = None
    """The URL that git clones."""
    weight: Weight = 1.0
    """Its share of the farm beside the others'."""
    quota: Quota | None = None
    """How many of its jobs may be at work at a time; null for any number."""


class ProjectChange(BaseModel):
    """What is changed of a project; what is left out stays. All but `paused` is for admins only."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    paused: bool | None = None
    weight: Weight | None = None
    quota: Quota | None = None
    """Null, where it is sent, for any number."""
    repository: Repository | None = None
    """Where its source is now; the address by which webhooks find it follows."""
    forge: Forge | None = None
    """Goes with `repository`."""


@router.get("", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses()})
def list_projects(caller: Reader, house: TheHouse, after: After = None, limit: Limit = 100) -> ProjectPage:
    """The projects, by name."""
    with house.database.read() as session:
        chosen = select(tables.Project)
        if caller.project is not None:
            chosen = chosen.where(tables.Project.name == caller.project)
        page = read_page(session, chosen, [col(tables.Project.name)], after=after, limit=limit)
        return ProjectPage.model_validate({"items": page.rows, "next": page.next})


@router.post("", status_code=201, dependencies=REPEATABLE, responses=responses(409, 413))
def make_project(caller: Admin, house: TheHouse, wish: NewProject) -> Project:
    """Follow a project. Its name is normalized. `/projects/NAME/secrets` makes the secret of its webhook."""
    if wish.repository is not None:
        check_url(wish.repository, house.settings)
    with house.database.write() as session:
        row = add_project(session, wish.name, wish.repository, wish.forge, wish.weight, wish.quota)
        note_change(session, caller, "project.make", row.id, project=row.name)
    return Project.model_validate(row)


@router.get("/{project}", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_project(caller: Reader, house: TheHouse, project: ProjectName) -> Project:
    """One project, by any spelling of its name."""
    check_reach(caller, project, f"project {project}")
    with house.database.read() as session:
        return Project.model_validate(find_project(session, project))


@router.patch("/{project}", responses=responses(404, 409, 413))
def change_project(
    caller: Maintainer, house: TheHouse, match: IfMatch, project: ProjectName, change: ProjectChange
) -> Project:
    """Pause a project or let it go on; admins may change its share, its quota and where its source is."""
    check_reach(caller, project, f"project {project}")
    changes = change.model_dump(exclude_unset=True)
    changes = {name: value for name, value in changes.items() if value is not None or name == "quota"}
    refused = [name for name in FOR_ADMINS if name in changes]
    if refused and not caller.may(Role.ADMIN):
        sentence = f"the {refused[0]} of a project is the admins' to change; ask one"
        raise AccessError(sentence, role=Role.ADMIN.value)
    if change.repository is not None:
        check_url(change.repository, house.settings)
    elif change.forge is not None:
        raise InputError("a forge without a repository says nothing; send the repository as well")
    with house.database.write() as session:
        row = find_project(session, project)
        match.check(Project.model_validate(row))
        for name in ("paused", "weight", "quota"):
            if name in changes:
                setattr(row, name, changes[name])
        if change.repository is not None:
            place_project(session, row, change.repository, change.forge)
        if "quota" in changes and change.quota is None:
            changes["no_quota"] = True  # the log leaves out what is null
        note_change(session, caller, "project.change", row.id, project=row.name, **changes)
    return Project.model_validate(row)


@router.delete("/{project}", responses=responses(404))
def delete_project(caller: Admin, house: TheHouse, match: IfMatch, project: ProjectName) -> Removal:
    """Follow a project no longer. Its runs stay, as runs of no project; those that have not ended are cancelled.

    Its secrets, listeners, events and deliveries go, and its tokens are revoked.
    """
    with house.database.write() as session:
        row = find_project(session, project)
        match.check(Project.model_validate(row))
        return Removal.model_validate(remove_project(session, caller, row))
