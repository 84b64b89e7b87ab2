"""Poetry's own notation of dependencies, as requirements that pip reads (PEP 508).

Called by tool_needs. What has no such form loses its bounds or is left out; nothing is resolved or fetched. Notation:
https://python-poetry.org/docs/dependency-specification/
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

_PART = re.compile(r"(\^|~(?!=)|>=|<=|==|!=|~=|>|<|=)?\s*v?(\d[\w.*+!-]{0,60})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def poetry_requirements(table: object) -> Iterator[str]:
    """The requirements of a table `name = constraint`; entries that pip could not read are left out."""
    if not isinstance(table, Mapping):
        return
    for name, said in table.items():
        if name == "python" or not _NAME.fullmatch(str(name)):
            continue
        for each in said if isinstance(said, list) else [said]:
            text = _requirement(str(name), each)
            try:
                yield str(Requirement(text))
            except InvalidRequirement:
                continue


def _requirement(name: str, said: object) -> str:
    if isinstance(said, str):
        return name + ",".join(_specifiers(said))
    if not isinstance(said, Mapping) or "path" in said or "file" in said:
        return ""
    extras = said.get("extras")
    if isinstance(extras, list) and extras:
        name += f"[{','.join(map(str, extras))}]"
    marker = _marker(said)
    tail = f" ; {marker}" if marker else ""
    if "git" in said or "url" in said:
        return f"{name} @ {_address(said)}{tail}"
    return name + ",".join(_specifiers(str(said.get("version", "*")))) + tail


def _address(said: Mapping[str, Any]) -> str:
    if "url" in said:
        return str(said["url"])
    reference = next((f"@{said[key]}" for key in ("rev", "tag", "branch") if key in said), "")
    return f"git+{said['git']}{reference}"


def _marker(said: Mapping[str, Any]) -> str:
    pieces = [f"({said['markers']})"] if isinstance(said.get("markers"), str) else []
    if isinstance(said.get("python"), str):
        for specifier in _specifiers(said["python"]):
            sign, version = re.split(r"(?<=[=<>])(?=\d)", specifier, maxsplit=1)
            variable = "python_version" if version.count(".") < 2 or "*" in version else "python_full_version"
            pieces.append(f'{variable} {sign} "{version}"')
    return " and ".join(pieces)


def _specifiers(constraint: str) -> list[str]:
    """`^1.2` is `>=1.2,<2`, `~1.2` is `>=1.2,<1.3`, a bare version is that one; alternatives (`||`) have no form."""
    if "|" in constraint:
        return []
    found: list[str] = []
    for sign, version in _PART.findall(constraint):
        if sign in {"^", "~"}:
            found += [f">={version}", f"<{_above(sign, version)}"]
        else:
            found.append(f"{'==' if sign in {'', '='} else sign}{version}")
    return found


def _above(sign: str, version: str) -> str:
    """The first version that a caret or tilde does not allow."""
    numbers = [int(each) for each in re.findall(r"\d+", version.split("-", maxsplit=1)[0])[:3]]
    if sign == "~":
        place = min(1, len(numbers) - 1)
    else:
        place = next((each for each, number in enumerate(numbers) if number), len(numbers) - 1)
    return ".".join(map(str, [*numbers[:place], numbers[place] + 1]))
