"""What the real tools said and did with the projects in `files`, and environments of every kind to ask about."""

import tomllib
from pathlib import Path

from hypothesis import strategies
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tox_wheelfarm.locks.project import Project
from tox_wheelfarm.locks.target import Target
from tox_wheelfarm.locks.wish import Wish

FILES = Path(__file__).parent / "files"
SYSTEMS = {
    "linux": ("posix", "Linux", "x86_64"),
    "win32": ("nt", "Windows", "AMD64"),
    "darwin": ("posix", "Darwin", "arm64"),
}
FULL = {
    f"3.{minor}": f"3.{minor}.{patch}"
    for minor, patch in ((9, 18), (10, 13), (11, 7), (12, 1), (13, 0), (14, 2))
}
FULL["3.15"] = "3.15.0a3"


def target(python="3.12", system="linux", implementation="cpython"):
    """A target by its version of Python (`3.12`) and `sys_platform`."""
    os_name, platform_system, machine = SYSTEMS[system]
    environment = {
        "implementation_name": implementation,
        "implementation_version": FULL[python],
        "os_name": os_name,
        "platform_machine": machine,
        "platform_python_implementation": {"cpython": "CPython", "pypy": "PyPy"}[implementation],
        "platform_release": "6.1",
        "platform_system": platform_system,
        "platform_version": "1",
        "python_full_version": FULL[python],
        "python_version": python,
        "sys_platform": system,
    }
    return Target(environment, ())


targets = strategies.builds(
    target,
    strategies.sampled_from(sorted(FULL)),
    strategies.sampled_from(sorted(SYSTEMS)),
    strategies.sampled_from(["cpython", "pypy"]),
)
"""Every supported Python, on every system."""


def wish(name, extras, main="main"):
    """The wish that a file's name tells: `main+cli+dev`, of which `extras` are extras."""
    words = set(name.split("+"))
    return Wish(
        project=main in words,
        extras=frozenset(words & extras),
        groups=frozenset(words - extras - {main}),
    )


def wishes(folder):
    """The names of the exports in a folder."""
    return sorted(
        path.name.split(".", 1)[1].removesuffix(".txt") for path in (FILES / folder).glob("export.*.txt")
    )


def exported(folder, name, environment):
    """What the tool's export says for an environment: the versions of each name (`""`: a direct reference)."""
    found = {}
    for line in (FILES / folder / f"export.{name}.txt").read_text().splitlines():
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate(environment):
            version = str(one.specifier).removeprefix("==")
            found.setdefault(canonicalize_name(one.name), set()).add(version)
    return found


def installs():
    """Each recorded install: folder, version of Python, and wish."""
    for path in sorted(FILES.glob("*/installed-*.txt")):
        major, minor, name = path.name.removeprefix("installed-").removesuffix(".txt").split(".", 2)
        yield path.parent.name, f"{major}.{minor}", name


def installed(folder, python, name):
    """What the tool's install put into an environment: a version by name."""
    lines = (FILES / folder / f"installed-{python}.{name}.txt").read_text().splitlines()
    return {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines}


def project(folder):
    """The project in a folder."""
    root = FILES / folder
    document = root / "pyproject.toml"
    pipfile = root / "Pipfile"
    return Project(
        root,
        tomllib.loads(document.read_text()) if document.exists() else {},
        tomllib.loads(pipfile.read_text()) if pipfile.exists() else {},
    )


def lock(kind, folder, name):
    """A lock file of `files`, read by this class."""
    path = FILES / folder / name
    return kind.read(path, path.read_bytes())


def versions(pins):
    """Pins as versions by name."""
    return {pin.name: pin.version for pin in pins}
