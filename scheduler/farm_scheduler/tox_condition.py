"""The conditions of tox's `{ replace = "if", condition = … }`, in the small language that tox has for them.

Called by tox_toml. A condition names variables (`env.CI`), factors (`factor.py312`) and `env_name`, compares texts and
joins by `and`, `or`, `not`. No variable is set, as it will be in the guest. It executes nothing.
"""

import ast
import warnings
from collections.abc import Set

from farm_scheduler.tox_factors import active_factors

MAX_CONDITION = 2000
"""Characters that a condition may have."""


def holds(condition: str, *, name: str | None) -> bool:
    """Whether a condition holds, for an environment or (`name` None) for the core configuration.

    Raises:
        ValueError: it is none that tox takes.
    """
    if len(condition) > MAX_CONDITION:
        raise ValueError(f"a condition has more than {MAX_CONDITION} characters")
    try:
        with warnings.catch_warnings(action="ignore"):  # of the parser, about the project's own text
            tree = ast.parse(condition, mode="eval")
        return bool(_value(tree.body, name, active_factors(name)))
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"{condition[:80]!r} is no condition") from error


def _value(node: ast.expr, name: str | None, factors: Set[str]) -> str | bool:
    match node:
        case ast.BoolOp(op=op, values=values):
            found = (bool(_value(each, name, factors)) for each in values)
            return all(found) if isinstance(op, ast.And) else any(found)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, name, factors)
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() as op], comparators=[right]):
            same = _value(left, name, factors) == _value(right, name, factors)
            return same is isinstance(op, ast.Eq)
        case ast.Constant(value=str(text)):
            return text
        case (
            ast.Attribute(value=ast.Name(id=place), attr=key)
            | ast.Subscript(value=ast.Name(id=place), slice=ast.Constant(value=str(key)))
        ):
            return _named(place, key, factors)
        case ast.Name(id="env_name"):
            return name or ""
    raise ValueError(f"{ast.unparse(node)[:80]!r} is nothing that a condition may have")


def _named(place: str, key: str, factors: Set[str]) -> str | bool:
    if place == "env":
        return ""
    if place == "factor":
        return key in factors
    raise ValueError(f"{place}.{key} is nothing that a condition may have")
