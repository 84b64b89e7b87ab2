"""Which provider gives which Python of an image: the suite's packages, the host's pyenv tree, uv's builds.

Called by the bake, which copies what is found, and by planning for an image that is not baked yet. The first provider
that has a Python gives it. It never says that one works: that is for the guest's probe.
"""

import threading
from dataclasses import dataclass
from pathlib import Path

from farm_images.catalogue import Interpreter
from farm_images.interpreters import HostInterpreter, find_interpreters
from farm_images.recipes import Recipe
from farm_images.uv_builds import UvBuilds


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """What this host can give to its images; None for what it has not."""

    pyenv_root: Path | None = None
    uv: UvBuilds | None = None

    def expected(self, recipe: Recipe, *, fetched: bool) -> list[Interpreter]:
        """The Pythons that a bake of the recipe would have, found without the network.

        `fetched`: whether to count what uv would have to fetch from there.
        """
        found = [*distribution(recipe), *(source.entry() for source in self.local(recipe))]
        if self.uv is not None:
            sources = self.uv.expected(self._wanted_of_uv(recipe), fetched=fetched)
            found += [source.entry() for source in sources]
        return found

    def local(self, recipe: Recipe) -> list[HostInterpreter]:
        """What the pyenv tree gives: all that a bake copies from this host without fetching it."""
        if self.pyenv_root is None or "pyenv" not in recipe.providers:
            return []
        given = {each.name for each in distribution(recipe)}
        return [source for source in find_interpreters(self.pyenv_root) if source.name not in given]

    def fetched(
        self, recipe: Recipe, stop: threading.Event | None = None
    ) -> tuple[list[HostInterpreter], str | None]:
        """What uv gives besides, fetched if need be; and why some are missing, in a sentence. `stop` ends it early."""
        return self.uv.fetch(self._wanted_of_uv(recipe), stop) if self.uv is not None else ([], None)

    def _wanted_of_uv(self, recipe: Recipe) -> list[str]:
        if "uv" not in recipe.providers:
            return []
        given = {each.name for each in distribution(recipe)} | {each.name for each in self.local(recipe)}
        return [name for name in recipe.uv if name not in given]


def distribution(recipe: Recipe) -> list[Interpreter]:
    """The suite's own Pythons, if the recipe wants them; their full versions are for the guest's probe to tell."""
    if "distribution" not in recipe.providers:
        return []
    return [_entry(name, program) for name, program in zip(recipe.distribution, recipe.programs, strict=True)]


def _entry(name: str, program: str) -> Interpreter:
    pypy = name.startswith("pypy")
    python = name.removeprefix("pypy").removesuffix("t")
    return Interpreter(
        path=f"/usr/bin/{program}",
        version=python,
        python=python,
        implementation="pypy" if pypy else "cpython",
        provider="distribution",
        threaded=name.endswith("t"),
    )
