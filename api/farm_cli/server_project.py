"""The projects of a farm elsewhere: what `project … --server` does there.

Called by the commands of project. It asks with the person's token and keeps nothing: a secret goes to the caller alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from farm_cli.project_view import project_line
from farm_cli.servers import open_server
from farm_scheduler.projects import check_repository, normal_name
from wheelfarm_client import Farm, MissingError, models

NEWEST_EVENTS = 500
"""So many events of the farm are looked through for the last one of each project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A project that was added: its name, the address of its webhook, and the secret."""

    name: str
    webhook: str
    secret: str


def add_there(
    server: str, name: str, repository: str | None, forge: str | None, weight: float, quota: int | None
) -> Added:
    """Add a project, and make the secret of its webhook."""
    normal_name(name)
    if repository is not None:
        check_repository(repository)
    with open_server(server) as farm:
        made = farm.make_project(name, forge=forge, repository=repository, weight=weight, quota=quota)
        secret = farm.make_secret(made.name)
        webhook = secret.webhook or f"{farm.server}/webhooks/{made.forge or 'pypi'}"
    return Added(name=made.name, webhook=webhook, secret=secret.secret or "")


def list_there(server: str) -> Iterator[str]:
    """A line for each project, and one for each pattern that is followed."""
    with open_server(server) as farm:
        projects = list(farm.list_projects(limit=500))
        followed = {each.project: each for each in farm.list_followings(limit=500)}
        last: dict[str, models.Event] = {}
        for event in islice(farm.list_events(limit=500), NEWEST_EVENTS):
            last.setdefault(event.project, event)
        patterns = [each.pattern for each in farm.list_patterns(limit=500)]
    if not projects and not patterns:
        yield f"no project yet; wheelfarm project add NAME --repository URL --server {server}"
    for project in projects:
        yield project_line(project, followed.get(project.name), last.get(project.name))
    for pattern in patterns:
        yield f"{pattern}  releases of every name that fits are followed"


def new_secret_there(server: str, name: str, given: str | None) -> str | None:
    """A new secret, or None where one was given."""
    with open_server(server) as farm:
        return farm.make_secret(name, given=given).secret


def drop_old_secret_there(server: str, name: str) -> bool:
    """End all but the newest secret; whether there was another."""
    with open_server(server) as farm:
        old = farm.list_secrets(name)[1:]
        for each in old:
            farm.end_secret(name, each.id)
    return bool(old)


def follow_there(server: str, name: str, *, pattern: bool, stop: bool) -> tuple[str, bool]:
    """Follow a name or a pattern, or stop it; how the farm spells it, and whether anything changed."""
    with open_server(server) as farm:
        if pattern:
            return _follow_pattern(farm, name, stop=stop)
        known = farm.get_project(name).name
        followed = _is_followed(farm, known)
        if followed == stop:
            farm.unfollow_project(known) if stop else farm.follow_project(known)
    return known, followed == stop


def _follow_pattern(farm: Farm, pattern: str, *, stop: bool) -> tuple[str, bool]:
    if stop:
        try:
            farm.unfollow_pattern(pattern)
        except MissingError:
            return pattern, False
        return pattern, True
    before = {each.pattern for each in farm.list_patterns(limit=500)}
    known = farm.follow_pattern(pattern).pattern
    return known, known not in before


def _is_followed(farm: Farm, project: str) -> bool:
    try:
        farm.get_following(project)
    except MissingError:
        return False
    return True


def tell_there(server: str, name: str, channel: str, *, place: str | None, token: str | None) -> str | None:
    """Tell somebody from now on; the secret of a webhook."""
    with open_server(server) as farm:
        return farm.add_listener(name, channel, place=place, token=token).secret


def stop_telling_there(server: str, name: str, channel: str) -> bool:
    """Tell them no longer; whether anybody was told."""
    with open_server(server) as farm:
        farm.get_project(name)
        try:
            farm.stop_listener(name, channel)
        except MissingError:
            return False
    return True


def redeliver_there(server: str, name: str, secret: str, app: str | None) -> str:
    """Have GitHub deliver again what did not arrive; the project's name."""
    with open_server(server) as farm:
        farm.start_redelivery(name, secret, app=app)
        return farm.get_project(name).name


def stop_redelivering_there(server: str, name: str) -> tuple[bool, str]:
    """Ask for nothing any more; whether anything was asked for, and the project's name."""
    with open_server(server) as farm:
        named = farm.get_project(name).name
        try:
            farm.stop_redelivery(name)
        except MissingError:
            return False, named
    return True, named


def remove_there(server: str, name: str) -> models.Removal:
    """Follow a project no longer."""
    with open_server(server) as farm:
        return farm.delete_project(name)
