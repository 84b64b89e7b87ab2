"""`/projects/PROJECT/listeners`: who is told of a project's runs, one of each channel.

Included by application. A token or a secret is sealed at once and never told again; it sends nothing.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from farm_api.v1.callers import Maintainer, check_reach
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.project_shapes import Listener, MadeListener, NewListener
from farm_api.v1.shapes import ProjectName, Shape
from farm_scheduler import feedback_tables, listeners
from farm_scheduler.audit import note_change
from farm_scheduler.errors import NotFoundError
from farm_scheduler.feedback_tables import Channel
from farm_scheduler.projects import find_project
from farm_scheduler.secret_box import secret_box

router = APIRouter(prefix="/projects/{project}/listeners", tags=["projects"], route_class=Door)

ChannelPath = Annotated[Channel, Path(description="How they are told.")]


class Listeners(Shape):
    """Who is told of a project's runs."""

    items: list[Listener] = Field(default_factory=list)


@router.get("", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def list_listeners(caller: Maintainer, house: TheHouse, project: ProjectName) -> Listeners:
    """Who is told, without tokens and secrets."""
    check_reach(caller, project, f"project {project}")
    with house.database.read() as session:
        rows = listeners.listeners_of(session, find_project(session, project))
    return Listeners(items=[Listener.model_validate(row) for row in rows])


@router.put("/{channel}", responses=responses(404, 413))
def add_listener(
    caller: Maintainer, house: TheHouse, project: ProjectName, channel: ChannelPath, wish: NewListener
) -> MadeListener:
    """Tell somebody from now on, in place of whom the channel told before.

    `status` gives each commit a status at the project's forge, `checks` a check of GitHub in its place (`place` is the
    App's id, `token` its private key), `comment` keeps up one comment on each pull request; `webhook` (signed, with a
    new secret) and `email` are told of changes only.
    """
    check_reach(caller, project, f"project {project}")
    box = secret_box(house.settings)
    place = None if channel in {Channel.STATUS, Channel.COMMENT} else wish.place
    with house.database.write() as session:
        row = find_project(session, project)
        listeners.check_farm(channel, place, house.settings)
        token = wish.token if channel in listeners.OF_FORGES else None
        secret = listeners.add_listener(session, box, row, channel, place=place, token=token)
        session.flush()
        made = Listener.model_validate(session.get_one(feedback_tables.Listener, (row.id, channel)))
        note_change(session, caller, "project.tell", row.id, project=row.name, channel=channel.value)
    return MadeListener(listener=made, secret=secret)


@router.delete("/{channel}", status_code=204, responses=responses(404))
def stop_listener(
    caller: Maintainer, house: TheHouse, project: ProjectName, channel: ChannelPath
) -> Response:
    """Tell them no longer; 404 where nobody is told."""
    check_reach(caller, project, f"project {project}")
    with house.database.write() as session:
        row = find_project(session, project)
        if not listeners.stop_listener(session, row, channel):
            raise NotFoundError(f"nobody is told of {row.name} by {channel}", channel=channel.value)
        note_change(session, caller, "project.untell", row.id, project=row.name, channel=channel.value)
    return Response(status_code=204)
