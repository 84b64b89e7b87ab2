"""The sets of releases that installers are measured with, and their lock files, each written by the tool that owns it.

Called by `installers`. A set is exact, so that every tool installs the same; it never changes with the index.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 1800
INDEX = "https://pypi.org/simple/"
BIG = Path(__file__).with_name("installers_78.txt")
SMALL = {
    "six": ["six==1.17.0"],
    "pytest": ["pytest==9.1.1", "iniconfig==2.3.0", "packaging==26.3", "pluggy==1.6.0", "pygments==2.21.0"],
    "requests": [
        "requests==2.34.2",
        "certifi==2026.7.22",
        "charset-normalizer==3.5.1",
        "idna==3.19",
        "urllib3==2.7.0",
    ],
    "flask": [
        "flask==3.1.3",
        "blinker==1.9.0",
        "click==8.5.0",
        "itsdangerous==2.2.0",
        "jinja2==3.1.6",
        "markupsafe==3.0.3",
        "werkzeug==3.1.8",
    ],
    "httpx": [
        "httpx==0.28.1",
        "anyio==4.14.2",
        "certifi==2026.7.22",
        "h11==0.16.0",
        "httpcore==1.0.9",
        "idna==3.19",
        "typing-extensions==4.16.0",
    ],
    "rich": ["rich==15.0.0", "markdown-it-py==4.2.0", "mdurl==0.1.2", "pygments==2.21.0"],
}


@dataclass(frozen=True, slots=True)
class ReleaseSet:
    """A set: its name and `name==version` of each release."""

    name: str
    pins: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The names alone."""
        return [pin.partition("==")[0] for pin in self.pins]


def release_sets() -> list[ReleaseSet]:
    """The 78 packages, and the six small projects."""
    lines = BIG.read_text("utf-8").splitlines()
    big = tuple(line for line in lines if line and not line.startswith("#"))
    return [
        ReleaseSet("78 packages", big),
        *(ReleaseSet(name, tuple(pins)) for name, pins in SMALL.items()),
    ]


def write_locks(
    wanted: ReleaseSet, folder: Path, uv: Path, poetry: Path, environment: Mapping[str, str], python: str
) -> None:
    """Write a project and its lock files: uv.lock, pylock.toml, requirements.txt, and poetry.lock below `poetry/`.

    Args:
        wanted: the set.
        folder: where they are written; it is made.
        uv: the program.
        poetry: the program of the version that tox-poetry-installer has.
        environment: variables of both.
        python: X.Y.

    Raises:
        subprocess.CalledProcessError: a tool could not lock the set.
    """
    folder.mkdir(parents=True)
    pins = "".join(f'    "{pin}",\n' for pin in wanted.pins)
    version = "==" + python + ".*"
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "measured"\nversion = "1"\nrequires-python = "{version}"\n'
        f"dependencies = [\n{pins}]\n\n[tool.uv]\npackage = false\n"
    )
    _run([uv, "lock", "--quiet", "--python", python], folder, environment)
    export: list[Path | str] = [uv, "export", "--quiet", "--frozen", "--no-emit-project"]
    _run([*export, "-o", "requirements.txt"], folder, environment)
    _run([*export, "--format", "pylock.toml", "-o", "pylock.toml"], folder, environment)
    (folder / "poetry").mkdir()
    releases = "".join('{} = "{}"\n'.format(*pin.split("==")) for pin in wanted.pins)
    (folder / "poetry/pyproject.toml").write_text(
        '[tool.poetry]\nname = "measured"\nversion = "1"\ndescription = ""\nauthors = []\npackages = []\n'
        f'[tool.poetry.dependencies]\npython = "~{python}"\n{releases}'
        # The simple index and not PyPI's own interface, which a mirror may not have.
        f'[[tool.poetry.source]]\nname = "simple"\nurl = "{INDEX}"\npriority = "primary"\n'
        '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
    )
    _run([poetry, "lock", "--no-update", "--no-interaction"], folder / "poetry", environment)


def _run(command: Sequence[Path | str], folder: Path, environment: Mapping[str, str]) -> None:
    subprocess.run(
        command, cwd=folder, env=dict(environment), check=True, capture_output=True, timeout=SECONDS
    )
