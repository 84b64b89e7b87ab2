"""Settings of tox and of other runners that mean nothing here, each with what to write instead.

Called when an environment is set up. A setting is only ever warned of, by its name; it never makes a run fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tox_wheelfarm.variables import NOT_SAID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tox.config.cli.parser import Parsed
    from tox.config.sets import EnvConfigSet

INSTEAD = {
    "install_command": "uv installs, by hash; see installer and constraints",
    "list_dependencies_command": "what is installed is read from its metadata",
    "constrain_package_deps": "constraints hold for everything anyway",
    "use_frozen_constraints": "everything is decided in one set anyway",
    "always_copy": "uv decides how an interpreter is linked",
    "alwayscopy": "uv decides how an interpreter is linked",
    "download": "name pip, setuptools or wheel in seed",
    "virtualenv_spec": "old interpreters are known",
    "uv_resolution": "write installer = latest or lowest",
    "uv_python_preference": "interpreters are found as tox finds them and never downloaded",
    "uv_sync_flags": "see lockfile, extras and dependency_groups",
    "uv_sync_locked": "see stale_lock",
    "uv_export_flags": "see lockfile, extras and dependency_groups",
    "with_dev": "write install_dev_deps",
    "no_default_groups": "see dependency_groups",
    "only_groups": "see dependency_groups",
}

VARIABLES = {
    "PIP_BUILD_CONSTRAINT": "write constraints; they bind builds",
    "PIP_CONSTRAINT": "write constraints",
    "PIP_NO_BINARY": "write --no-binary in deps",
    "PIP_NO_DEPS": "write --no-deps in deps",
    "PIP_ONLY_BINARY": "write --only-binary in deps",
    "PIP_PRE": "write pip_pre",
    "PIP_PREFER_BINARY": "write --only-binary in deps",
    "PIP_REQUIRE_HASHES": "write --require-hashes in deps",
    "PIP_UPLOADED_PRIOR_TO": "write cutoff",
    "UV_BUILD_CONSTRAINT": "write constraints; they bind builds",
    "UV_CONFIG_FILE": "uv's configuration is not read; write what it says here",
    "UV_CONSTRAINT": "write constraints",
    "UV_EXCLUDE": "what is required is installed",
    "UV_EXCLUDE_NEWER": "write cutoff",
    "UV_FORK_STRATEGY": "a set is for one interpreter",
    "UV_NO_BINARY": "write --no-binary in deps",
    "UV_NO_BINARY_PACKAGE": "write --no-binary in deps",
    "UV_NO_BUILD": "write --only-binary in deps",
    "UV_NO_BUILD_ISOLATION": "builds get what they ask for, within constraints",
    "UV_NO_BUILD_PACKAGE": "write --only-binary in deps",
    "UV_NO_VERIFY_HASHES": "hashes are checked",
    "UV_OFFLINE": "write offline = always",
    "UV_OVERRIDE": "write constraints",
    "UV_PRERELEASE": "write pip_pre",
    "UV_REQUIRE_HASHES": "write --require-hashes in deps",
    "UV_RESOLUTION": "write installer = latest or lowest",
    "UV_TORCH_BACKEND": "name its index in deps (--extra-index-url)",
}
"""What would bind pip or uv, and binds nothing here."""


def found(conf: EnvConfigSet, flags: Parsed, variables: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each that is said and means nothing.

    Args:
        conf: the environment's configuration, with what the command line sets in it (`-x`).
        flags: the command line's own.
        variables: the environment's.
    """
    told = set().union(*(loader.found_keys() | set(loader.overrides) for loader in conf.loaders))
    said = {name: INSTEAD[name] for name in sorted(told & set(INSTEAD))}
    if getattr(flags, "force_dep", None):
        said["--force-dep"] = "write the version in deps or constraints"
    said.update((name, instead) for name, instead in VARIABLES.items() if _says(variables.get(name, "")))
    for name, instead in said.items():
        yield f"{name} means nothing with runner = wheelfarm: {instead}"


def _says(value: str) -> bool:
    return value.strip().lower() not in NOT_SAID
