"""Projects that the farm follows: added by a person, found by the address of their repository.

Called by the command and by the doors. The address comes from a URL's host and path, so that a forge's spelling and a
person's lead to the same project. Nothing here fetches a URL or looks whether a repository is there.
"""

from urllib.parse import urlsplit

from packaging.utils import InvalidName, canonicalize_name
from sqlmodel import Session, col, select

from farm_scheduler.errors import InputError, NotFoundError, ProjectError
from farm_scheduler.tables import Project
from farm_scheduler.targets import read_target

FORGES = ("github", "gitlab", "forgejo", "gitea", "bitbucket", "pagure")
"""The forges whose webhooks are understood."""

LEAST_WEIGHT, GREATEST_WEIGHT = 0.01, 100.0
LARGEST_QUOTA = 100_000

HOSTS = {"github.com": "github", "gitlab.com": "gitlab", "codeberg.org": "forgejo", "bitbucket.org": "bitbucket",
         "pagure.io": "pagure"}  # fmt: skip
"""Hosts whose forge need not be named."""


def address_of(url: str) -> str:
    """How a repository is found again: `host/path`, in lower case, without `.git`."""
    parts = urlsplit(url)
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port not in {None, 80, 443} else "")
    return (host + "/" + parts.path.strip("/")).lower().removesuffix(".git").rstrip("/")


def add_project(
    session: Session,
    name: str,
    repository: str | None,
    forge: str | None,
    weight: float = 1.0,
    quota: int | None = None,
) -> Project:
    """Record a project; `forge` None means the one that its host is known for.

    Raises:
        ProjectError: the name is taken, or so is the repository.
        InputError: the name is none; the URL cannot be fetched from; there is no such forge.
    """
    normal = normal_name(name)
    if session.exec(select(Project).where(Project.name == normal)).first():
        raise ProjectError(f"there is a project {normal} already; see wheelfarm project list", project=normal)
    project = Project(name=normal, weight=weight, quota=quota)
    if repository is not None:
        place_project(session, project, repository, forge)
    elif forge is not None:
        raise InputError("a forge without a repository says nothing; give --repository as well")
    session.add(project)
    session.flush()
    return project


def find_project(session: Session, name: str) -> Project:
    """The project of this name, in any spelling.

    Raises:
        NotFoundError: there is none.
    """
    found = session.exec(select(Project).where(Project.name == normal_name(name))).first()
    if found is None:
        raise NotFoundError(f"there is no project {name}; wheelfarm project list shows them", project=name)
    return found


def list_projects(session: Session) -> list[Project]:
    """All of them, by name."""
    return list(session.exec(select(Project).order_by(col(Project.name))))


def normal_name(name: str) -> str:
    """A project's name as it is kept.

    Raises:
        InputError: it is none.
    """
    try:
        return canonicalize_name(name, validate=True)
    except InvalidName as error:
        sentence = f"{name!r} is no name of a project; write letters, digits and -, _ or . between them"
        raise InputError(sentence, project=name) from error


def check_repository(repository: str) -> None:
    """Refuse what is no repository of a forge.

    Raises:
        InputError: it is none.
    """
    read_target("git+" + repository)  # refuses what git may not be asked for
    if not repository.startswith(("https://", "http://")):
        sentence = f"{repository} is of no forge; give the URL that git clones over https"
        raise InputError(sentence, repository=repository)


def place_project(session: Session, project: Project, repository: str, forge: str | None) -> None:
    """Say where the source of a project is. Raises as add_project."""
    check_repository(repository)
    host = urlsplit(repository).hostname or ""
    known = forge or HOSTS.get(host.lower())
    if known not in FORGES:
        sentence = f"which forge is {host or repository}? give --forge, one of {', '.join(FORGES)}"
        raise InputError(sentence, repository=repository)
    address = address_of(repository)
    chosen = select(Project).where(
        Project.forge == known, Project.address == address, Project.id != project.id
    )
    if (other := session.exec(chosen).first()) is not None:
        raise ProjectError(f"{repository} belongs to the project {other.name}", project=other.name)
    project.forge, project.repository, project.address = known, repository, address
