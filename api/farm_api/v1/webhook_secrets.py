"""`/projects/PROJECT/secrets`: the secrets that a project's webhooks are signed with.

Included by application. A secret's text is in the answer that makes it and nowhere else; two of a project are valid at
once, so that it can be changed at the forge without a gap.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from farm_api.v1.callers import Maintainer, check_reach
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, REPEATABLE, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.project_shapes import MadeSecret, NewSecret, WebhookSecret
from farm_api.v1.shapes import ProjectName, Shape
from farm_scheduler import project_secrets
from farm_scheduler.audit import note_change
from farm_scheduler.projects import find_project
from farm_scheduler.secret_box import secret_box

router = APIRouter(prefix="/projects/{project}/secrets", tags=["projects"], route_class=Door)

SecretId = Annotated[str, Path(pattern=r"^s-[0-9a-z]{8}$", description="The id of a secret.")]


class WebhookSecrets(Shape):
    """The valid secrets of a project, newest first."""

    items: list[WebhookSecret] = Field(default_factory=list)


@router.get("", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def list_secrets(caller: Maintainer, house: TheHouse, project: ProjectName) -> WebhookSecrets:
    """The secrets that are valid now, without their text."""
    check_reach(caller, project, f"project {project}")
    with house.database.read() as session:
        rows = project_secrets.valid_secrets(session, find_project(session, project).id)
    return WebhookSecrets(items=[WebhookSecret.model_validate(row) for row in rows])


@router.post("", status_code=201, dependencies=REPEATABLE, responses=responses(404, 409, 413))
def make_secret(caller: Maintainer, house: TheHouse, project: ProjectName, wish: NewSecret) -> MadeSecret:
    """Make a new secret valid, beside the one before it; older ones end. Its text is told once.

    A repeated Idempotency-Key answers 409.
    """
    check_reach(caller, project, f"project {project}")
    box = secret_box(house.settings)
    with house.database.write() as session:
        row = find_project(session, project)
        secret = project_secrets.add_secret(session, box, row.id, wish.given)
        made = WebhookSecret.model_validate(project_secrets.valid_secrets(session, row.id)[0])
        note_change(session, caller, "project.secret", row.id, project=row.name, secret=made.id)
        webhook = house.settings.webhook_address(row.forge)
    return MadeSecret(made=made, secret=secret if wish.given is None else None, webhook=webhook)


@router.delete("/{secret}", status_code=204, responses=responses(404))
def end_secret(caller: Maintainer, house: TheHouse, project: ProjectName, secret: SecretId) -> Response:
    """End a secret, at once. Without any the project's webhooks are refused."""
    check_reach(caller, project, f"project {project}")
    with house.database.write() as session:
        row = find_project(session, project)
        project_secrets.end_secret(session, row.id, secret)
        note_change(session, caller, "project.secret", row.id, project=row.name, ended=secret)
    return Response(status_code=204)
