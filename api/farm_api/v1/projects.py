"""`/projects`: the projects that the farm follows.

Included by application. What a project's runs found is below `/runs`; nothing of a project is fetched here.
"""

from typing import Annotated

from fastapi import APIRouter
from packaging.utils import canonicalize_name
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from farm_api.v1.callers import Admin, Maintainer, Reader, check_reach
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, REPEATABLE, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.shapes import NAME, After, Limit, Page, Project, ProjectName
from farm_scheduler import tables
from farm_scheduler.audit import note_change
from farm_scheduler.errors import AccessError, NotFoundError, StateError
from farm_scheduler.record_pages import read_page
from farm_scheduler.remote_targets import read_remote_target
from farm_scheduler.roles import Role

router = APIRouter(prefix="/projects", tags=["projects"], route_class=Door)


class ProjectPage(Page[Project]):
    """A page of projects."""


class NewProject(BaseModel):
    """A project to follow."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(pattern=NAME)]
    forge: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")] | None = None
    repository: Annotated[str, Field(pattern=r"^https://[!-~]{1,400}$")] | None = None
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Its share of the farm beside the others'."""


class ProjectChange(BaseModel):
    """What is changed of a project; what is left out stays."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    paused: bool | None = None
    weight: Annotated[float, Field(gt=0, le=1000)] | None = None
    """For admins only."""


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
    """Follow a project. Its name is normalized."""
    if wish.repository is not None:
        read_remote_target(f"git+{wish.repository}", house.settings)
    name = canonicalize_name(wish.name)
    row = tables.Project(name=name, **wish.model_dump(exclude={"name"}))
    try:
        with house.database.write() as session:
            session.add(row)
            session.flush()
            note_change(session, caller, "project.make", row.id, project=name)
    except IntegrityError as error:
        raise StateError(f"project {name} is there already; change it instead", project=name) from error
    return Project.model_validate(row)


@router.get("/{project}", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_project(caller: Reader, house: TheHouse, project: ProjectName) -> Project:
    """One project, by any spelling of its name."""
    check_reach(caller, project, f"project {project}")
    with house.database.read() as session:
        return Project.model_validate(_find(session, project))


@router.patch("/{project}", responses=responses(404, 413))
def change_project(
    caller: Maintainer, house: TheHouse, project: ProjectName, change: ProjectChange
) -> Project:
    """Pause a project or let it go on; admins may change its share."""
    check_reach(caller, project, f"project {project}")
    if change.weight is not None and not caller.may(Role.ADMIN):
        raise AccessError("the weight of a project is the admins' to change", role=Role.ADMIN.value)
    changes = change.model_dump(exclude_none=True)
    with house.database.write() as session:
        row = _find(session, project)
        for name, value in changes.items():
            setattr(row, name, value)
        note_change(session, caller, "project.change", row.id, project=row.name, **changes)
    return Project.model_validate(row)


def _find(session: Session, name: str) -> tables.Project:
    row = session.exec(select(tables.Project).where(tables.Project.name == canonicalize_name(name))).first()
    if row is None:
        raise NotFoundError(f"the farm follows no project {name}", project=name)
    return row
