"""The variables that uv is given: those of the environment that say where things are.

Called by `environment`. pip's names are understood as well, because that is what people have in `set_env`; no other
variable of uv that would change a decision is made up here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FROM_PIP = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_NO_INDEX": "UV_NO_INDEX",
}
NOT_SAID = frozenset({"", "0", "false", "f", "no", "n", "off"})
"""What a variable of pip holds that is off."""

DECIDED = frozenset(
    {
        "UV_BREAK_SYSTEM_PACKAGES",
        "UV_BUILD_CONSTRAINT",
        "UV_CONFIG_FILE",
        "UV_CONSTRAINT",
        "UV_EXCLUDE",
        "UV_EXCLUDE_NEWER",
        "UV_FORK_STRATEGY",
        "UV_NO_BUILD_ISOLATION",
        "UV_NO_CONFIG",
        "UV_NO_EDITABLE",
        "UV_NO_VERIFY_HASHES",
        "UV_OFFLINE",
        "UV_OVERRIDE",
        "UV_PRERELEASE",
        "UV_PROJECT",
        "UV_PYTHON",
        "UV_REQUIREMENTS",
        "UV_REQUIRE_HASHES",
        "UV_RESOLUTION",
        "UV_SYSTEM_PYTHON",
        "UV_TORCH_BACKEND",
        "UV_WORKING_DIR",
    }
)
"""What a setting of tox or the lock file decides; from the outside it would only break that."""

PLACES = (
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX"),
    "UV_NO_SOURCES",
)
"""How the names of the variables begin that say where releases come from."""


def places(variables: Mapping[str, str]) -> dict[str, str]:
    """Of uv's variables, those that can change what is decided."""
    return {name: value for name, value in variables.items() if name.startswith(PLACES)}


def for_uv(variables: Mapping[str, str], threads: int) -> dict[str, str]:
    """Uv's variables, from an environment's.

    Args:
        variables: the environment's, after `pass_env` and `set_env`.
        threads: how many downloads run at a time; builds and installs too, but no more than there are processors.
    """
    found = {
        uvs: _joined(pips, variables[pips])
        for pips, uvs in FROM_PIP.items()
        if variables.get(pips, "").strip().lower() not in NOT_SAID
    }
    found.update(
        (name, value)
        for name, value in variables.items()
        if name.startswith("UV_") and name not in DECIDED and value.strip()
    )
    # More builds or installs than processors only get into each other's way.
    busy = min(threads, os.cpu_count() or 1)
    found.setdefault("UV_CONCURRENT_DOWNLOADS", str(threads))
    found.setdefault("UV_CONCURRENT_BUILDS", str(busy))
    found.setdefault("UV_CONCURRENT_INSTALLS", str(busy))
    return found


def _joined(name: str, value: str) -> str:
    # pip separates by blanks; uv by commas where it takes paths.
    words = value.split()
    return ",".join(words) if name == "PIP_FIND_LINKS" else " ".join(words)
