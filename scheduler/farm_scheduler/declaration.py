"""`[tool.wheelfarm]` of pyproject.toml: what a project declares of its matrix, read and checked at the edge.

Called by planning. The model is the documentation: its JSON schema is docs/wheelfarm.schema.json. Nothing of the
project is run.
"""

from collections.abc import Mapping
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from farm_scheduler.constraint_words import read_word
from farm_scheduler.cutoff import read_cutoff
from farm_scheduler.errors import PlanError
from farm_scheduler.plan import MOST_RETRIES, PlannedCell
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.toml_lines import line_of
from farm_scheduler.tox_configuration import read_pyproject

TABLE = ("tool", "wheelfarm")

MOST = 200
"""Entries of one list; more is a mistake or an attack."""

Python = Annotated[
    str,
    Field(
        pattern=r"^([23]\.[0-9]{1,2}t?|pypy3(\.[0-9]{1,2})?)$",
        description="a Python: `3.12`, `pypy3.10`, `3.14t`",
        examples=["3.12"],
    ),
]
System = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$",
        description="a system of the farm, as `wheelfarm images` lists them",
        examples=["debian-12"],
    ),
]
Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="a tox environment, or a pattern for several: `py312-*`",
        examples=["lint"],
    ),
]
InstallerWord = Literal["project", "lockfile", "constraints", "latest", "lowest"]
"""The words of `installers.Installer`."""
Reason = Annotated[str, Field(min_length=3, max_length=500, description="one sentence that says why")]
Seconds = Annotated[float, Field(gt=0, le=86_400, description="seconds for one job")]


def _not_ours(name: str) -> str:
    if name.upper().startswith(("WHEELFARM_", "TOX_")):
        raise ValueError("this variable belongs to the farm")
    return name


Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"), AfterValidator(_not_ours)]
Word = Annotated[str, Field(max_length=500), AfterValidator(read_word)]
Value = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00\n\r]*$")]
Package = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9+.-]{0,126}[a-z0-9+.]$",
        description="a package of the system",
        examples=["libxml2-dev"],
    ),
]


class _Table(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=lambda name: name.replace("_", "-"),
        populate_by_name=True,
    )


class Selector(_Table):
    """Cells, by what they have; what is not said is any. At least one of the four is said."""

    python: Python | None = None
    system: System | None = None
    environment: Name | None = None
    installer: InstallerWord | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Selector":
        if not any((self.python, self.system, self.environment, self.installer)):
            raise ValueError("say at least one of python, system, environment and installer")
        return self

    @property
    def pattern(self) -> bool:
        """Whether `environment` is a pattern and not a name."""
        return self.environment is not None and any(sign in self.environment for sign in "*?[")

    def at(self, cell: PlannedCell) -> bool:
        """Whether Python and system of the cell are meant."""
        return self.python in {None, cell.python} and self.system in {None, cell.system}

    def place(self, cell: PlannedCell) -> bool:
        """Whether Python, system and installer of the cell are meant."""
        return self.at(cell) and self.installer in {None, cell.installer.value}

    def means(self, cell: PlannedCell) -> bool:
        """Whether the cell is meant: by place, and by one of its environments."""
        return self.place(cell) and (self.environment is None or any(map(self.names, cell.environments)))

    def names(self, environment: str) -> bool:
        """Whether an environment is meant."""
        return self.environment is None or fnmatchcase(environment, self.environment)


class ExpectedFailure(Selector):
    """Cells that fail, and are known to. One that passes all the same fails the run: the entry is out of date."""

    reason: Reason


class Timeout(Selector):
    """A time limit of some cells; the last entry that means a cell counts."""

    seconds: Seconds


class Declaration(_Table):
    """What a project says to wheelfarm in `[tool.wheelfarm]` of its pyproject.toml."""

    pythons: list[Python] = Field(
        default=[], max_length=MOST, description="only these Pythons; all that fit when it is empty"
    )
    systems: list[System] = Field(
        default=[],
        max_length=MOST,
        description="each Python on each of these systems; once, on the first that has it, when it is empty",
    )
    include: list[Selector] = Field(
        default=[],
        max_length=MOST,
        description="what is tested besides: places that the two lists leave out, environments that tox does not list",
    )
    exclude: list[Selector] = Field(
        default=[], max_length=MOST, description="cells, or environments of cells, that are left out"
    )
    expected_failures: list[ExpectedFailure] = Field(
        default=[], max_length=MOST, description="cells that are known to fail"
    )
    installer: list[InstallerWord] = Field(
        default=[],
        max_length=5,
        description="what decides which releases are installed, each in cells of its own; when it is empty what the "
        "project has, and `latest` beside it where there is a lock file or constraints",
    )
    constraints: Word | Annotated[list[Word], Field(max_length=20)] = Field(
        default=[],
        description="files of the source, or https URLs with `#sha256=…` or without: what `constraints` goes by",
    )
    cutoff: datetime | date | Annotated[str, Field(max_length=40)] | None = Field(
        default=None,
        description="files that came to the index after this day or time do not exist for the run",
    )
    environment: dict[Variable, Value] = Field(
        default={}, max_length=50, description="variables for the commands of the project"
    )
    timeout: Seconds | None = Field(
        default=None, description="seconds for each job; the farm's own limit stays the most there is"
    )
    timeouts: list[Timeout] = Field(default=[], max_length=MOST, description="time limits of some cells")
    retries: int = Field(
        default=0,
        ge=0,
        le=MOST_RETRIES,
        description="how often a cell with failing tests is tried again, in a fresh machine; `flaky` if it then passes",
    )
    system_packages: list[Package] = Field(
        default=[], max_length=MOST, description="packages of the system that the project needs"
    )

    @field_validator("cutoff")
    @classmethod
    def _is_a_time(cls, said: str | date | datetime | None) -> datetime | None:
        try:
            return None if said is None else read_cutoff(said)
        except PlanError as error:
            raise ValueError(error.sentence) from error

    @property
    def constraint_words(self) -> tuple[str, ...]:
        """Where the constraints are, one or several."""
        return (self.constraints,) if isinstance(self.constraints, str) else tuple(self.constraints)

    @property
    def moment(self) -> datetime | None:
        """The cut-off in UTC."""
        return None if self.cutoff is None else read_cutoff(self.cutoff)

    @property
    def named_pythons(self) -> tuple[str, ...]:
        """The Pythons that it asks for by name."""
        return (*self.pythons, *(each.python for each in self.include if each.python))

    @property
    def environments(self) -> tuple[str, ...]:
        """The tox environments that `include` names outright."""
        return tuple(each.environment for each in self.include if each.environment and not each.pattern)


def read_declaration(files: ProjectFiles) -> Declaration:
    """What the project declares; the empty declaration when it declares nothing.

    Raises:
        PlanError: pyproject.toml is not TOML, or the table says what it cannot say; the line is named.
    """
    here: Any = read_pyproject(files)
    for key in TABLE:
        here = here.get(key) if isinstance(here, Mapping) else None
    if here is None:
        return Declaration()
    try:
        return Declaration.model_validate(here)
    except ValidationError as error:
        raise _refusal(error, files.text("pyproject.toml") or "") from error


def _refusal(error: ValidationError, text: str) -> PlanError:
    first, *others = error.errors(include_url=False, include_context=False, include_input=False)
    path = (*TABLE, *(part for part in first["loc"] if part != "[key]"))
    line = line_of(text, path)
    where = f"pyproject.toml, line {line}" if line is not None else "pyproject.toml"
    key = ".".join(str(part) for part in path[len(TABLE) :])
    said = _SAID.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    more = f" (and {len(others)} more)" if others else ""
    what = f"[tool.wheelfarm] {key}".strip()
    sentence = (
        f"{where}: {what}: {said[:1].lower()}{said[1:]}{more}; docs/declaration.md says what may stand there"
    )
    return PlanError(sentence, file="pyproject.toml", line=line, key=key)


_SAID = {
    "extra_forbidden": "there is no such setting",
    "missing": "this setting is missing",
}
