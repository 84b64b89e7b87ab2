"""What stands behind a `#` in `constraints` and `deps` of an ini file, kept where tox sees a comment.

Used by `options`. tox takes everything behind a `#` as a comment, and a hash that is dropped without a word checks
nothing. In `constraints` a comment begins as it does in a requirements file: at the start of a line, or after a space;
in `deps` what says a hash, a name or a folder of a URL is none. No other setting is read in another way than tox's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from tox.config.loader.ini import IniLoader

from tox_wheelfarm.failure import ShownError

if TYPE_CHECKING:
    from tox.config.loader.api import Loader
    from tox.config.main import Config
    from tox.config.sets import ConfigSet

COMMENTED = r"(?i)\S\s+(?P<comment>#\s*(?:sha\d+|md5)\s*[=:]\s*[0-9a-f].*)"
"""Compiled when there are constraints to look at, which is not often."""


class FragmentLoader(IniLoader):
    """Reads `constraints` of one section as it is written, and no other key.

    What the setting takes from other sections (`{[base]bounds}`) is read in the same way.
    """

    KEY: ClassVar[str] = "constraints"
    INSIDE: ClassVar[str] = r"(?<=[^\s\\])#"

    @classmethod
    def beside(cls, loader: IniLoader) -> FragmentLoader:
        """One for the section of another."""
        own = cls.__new__(cls)
        # A copy: how a loader is made is tox's own affair, and changes.
        vars(own).update(vars(loader))
        own.overrides = {key: each for key, each in loader.overrides.items() if key == cls.KEY}
        return own

    def load_raw(self, key: str, conf: Config | None, env_name: str | None) -> str:
        """The setting's text.

        Raises:
            KeyError: the section does not have it, or another is asked for.
        """
        if key != self.KEY:
            raise KeyError(key)
        return super().load_raw(key, conf, env_name)

    @classmethod
    def process_raw(cls, conf: Config | None, env_name: str | None, value: str) -> str:
        """The text for this environment, without comments.

        Raises:
            KeyError: nothing of it is for this environment.
            ShownError: a comment looks like a hash.
        """
        for line in value.splitlines():
            told = None if line.startswith("#") else re.search(COMMENTED, line)
            if told:
                raise ShownError(
                    f"ConstraintsError: {cls.KEY}: {told['comment']!r} is a comment, in which a hash checks nothing: "
                    "write #sha256=… without a space before it, or --hash=sha256:…"
                )
        return IniLoader.process_raw(conf, env_name, re.sub(cls.INSIDE, r"\#", value))

    def found_keys(self) -> set[str]:
        """None: the loader beside it tells them."""
        return set()


class DepsLoader(FragmentLoader):
    """Reads `deps` likewise; there only what says a hash, a name or a folder of a URL is no comment."""

    KEY: ClassVar[str] = "deps"
    INSIDE: ClassVar[str] = r"(?<=[^\s\\])#(?=(?:sha\d+|md5|egg|subdirectory)=)"


def keep(conf: ConfigSet) -> None:
    """Have `constraints` and `deps` of a configuration read with what stands behind a `#`."""
    both: list[Loader[Any]] = []
    for loader in conf.loaders:
        if isinstance(loader, IniLoader):
            both += [FragmentLoader.beside(loader), DepsLoader.beside(loader)]
        both.append(loader)
    conf.loaders[:] = both
