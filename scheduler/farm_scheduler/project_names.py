"""Whose a run is: found by any spelling of a name (PEP 503), and within reach of a token for one project.

Called by what lists and finds runs and jobs of one project. Finding is generous: it also looks at the name that the
source says. Reach is not, because whoever pushes chooses that name. It builds conditions, and reads one name at most.
"""

from packaging.utils import canonicalize_name
from sqlalchemy import ColumnElement, and_, func, or_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from farm_scheduler.access_tables import Submission
from farm_scheduler.tables import Project, Run


def of_project(name: str) -> ColumnElement[bool]:
    """Whether a run is of the followed project of this name, or of a source that says so."""
    plain = func.replace(func.replace(func.lower(col(Run.project)), "_", "-"), ".", "-")
    wanted = canonicalize_name(name)
    return or_(plain == wanted, col(Run.project_id).in_(_ids(wanted)))


def within_reach(scope: str) -> ColumnElement[bool]:
    """Whether a run belongs to the project that a token is for: to its row, or asked for with a token for that name."""
    asked = select(Submission.id).where(Submission.scope == scope)
    alone = and_(col(Run.project_id).is_(None), col(Run.id).in_(asked))
    return or_(col(Run.project_id).in_(_ids(scope)), alone)


def name_of(session: Session, run: Run) -> str:
    """The name of the followed project of a run; of other runs what the source says."""
    project = session.get(Project, run.project_id) if run.project_id is not None else None
    return project.name if project is not None else run.project


def _ids(name: str) -> SelectOfScalar[str]:
    return select(Project.id).where(Project.name == name)
