"""What a plan needs to know of a project's tox configuration: environments and their requests.

Made by the readers of tox configuration, used by planning. Data only; it never reads a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxEnvironment:
    """One environment as it is written, conditions and substitutions applied.

    Attributes:
        name: as in `tox -e NAME`.
        base_python: what `base_python` says, in order; empty when the name decides.
        depends: names or globs of environments to run before it.
        deps: the lines of `deps`, requirement files as `-r FILE`.
        installs: whether the project itself is built and installed for it.
        runner: the kind of environment that `runner` names; empty for tox's own default.
    """

    name: str
    base_python: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    installs: bool = True
    runner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxConfiguration:
    """A project's tox configuration.

    Attributes:
        file: where it was read: `tox.ini`, `pyproject.toml [tool.tox]`, …
        env_list: the environments that a bare `tox run` runs, in order.
        environments: each of them, by name.
        requires: the lines of `requires`: what tox provisions itself with.
        min_version: the oldest tox that the project accepts, or None.
        skip_missing_interpreters: as written; False when it is not.
        overridable: the section that holds the settings of all environments, for `TOX_OVERRIDE`.
        core: what stands before a setting of tox itself there.
    """

    file: str
    env_list: tuple[str, ...]
    environments: Mapping[str, ToxEnvironment] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    min_version: str | None = None
    skip_missing_interpreters: bool = False
    overridable: str = "testenv"
    core: str = "tox."
