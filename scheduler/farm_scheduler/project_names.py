"""Names of projects as the record has them: in the spelling of the source, found by any spelling (PEP 503).

Called by what lists runs and jobs of one project. It only builds a condition, and asks the record nothing.
"""

from typing import Any

from packaging.utils import canonicalize_name
from sqlalchemy import ColumnElement, func
from sqlmodel import col


def of_project(column: Any, name: str) -> ColumnElement[bool]:
    """Whether a column has the name of a project, both in any spelling."""
    plain = func.replace(func.replace(func.lower(col(column)), "_", "-"), ".", "-")
    return plain == canonicalize_name(name)
