"""`/projects/PROJECT/redelivery`: GitHub is asked to deliver again what did not arrive.

Included by application. A token or a key is sealed at once and never told again; the worker asks GitHub, not the API.
"""

from fastapi import APIRouter, Response

from farm_api.v1.callers import Maintainer, check_reach
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.matches import IfMatch
from farm_api.v1.problems import responses
from farm_api.v1.project_shapes import NewRedelivery, Redelivery
from farm_api.v1.shapes import ProjectName
from farm_scheduler import redelivery
from farm_scheduler.audit import note_change
from farm_scheduler.errors import NotFoundError
from farm_scheduler.projects import find_project
from farm_scheduler.redelivery_tables import Relook
from farm_scheduler.secret_box import secret_box

router = APIRouter(prefix="/projects/{project}/redelivery", tags=["projects"], route_class=Door)


@router.get("", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_redelivery(caller: Maintainer, house: TheHouse, project: ProjectName) -> Redelivery:
    """How the last look at GitHub's deliveries went; 404 where they are not looked through."""
    check_reach(caller, project, f"project {project}")
    with house.database.read() as session:
        row = find_project(session, project)
        relook = session.get(Relook, row.id)
        if relook is None:
            raise NotFoundError(f"GitHub is not asked for what {row.name} did not get", project=row.name)
        return Redelivery.model_validate(relook)


@router.put("", responses=responses(404, 413))
def start_redelivery(
    caller: Maintainer, house: TheHouse, match: IfMatch, project: ProjectName, wish: NewRedelivery
) -> Redelivery:
    """Look through GitHub's deliveries every few minutes from now on, and ask again for those that failed."""
    check_reach(caller, project, f"project {project}")
    box = secret_box(house.settings)
    with house.database.write() as session:
        row = find_project(session, project)
        relook = session.get(Relook, row.id)
        match.check(Redelivery.model_validate(relook) if relook else None)
        redelivery.start_looking(session, box, row, wish.token, wish.app)
        session.flush()
        made = Redelivery.model_validate(session.get_one(Relook, row.id))
        note_change(session, caller, "project.redeliver", row.id, project=row.name)
    return made


@router.delete("", status_code=204, responses=responses(404))
def stop_redelivery(caller: Maintainer, house: TheHouse, match: IfMatch, project: ProjectName) -> Response:
    """Ask for nothing any more; 404 where nothing was asked for."""
    check_reach(caller, project, f"project {project}")
    with house.database.write() as session:
        row = find_project(session, project)
        relook = session.get(Relook, row.id)
        if relook is None:
            raise NotFoundError(f"GitHub is not asked for what {row.name} did not get", project=row.name)
        match.check(Redelivery.model_validate(relook))
        redelivery.stop_looking(session, row)
        note_change(session, caller, "project.unredeliver", row.id, project=row.name)
    return Response(status_code=204)
