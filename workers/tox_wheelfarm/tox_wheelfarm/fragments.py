"""What stands behind a `#` in `constraints` of an ini file, such as `#sha256=…`, kept where tox sees a comment.

Used by `options`. tox takes everything behind a `#` as a comment, and a hash that is dropped without a word checks
nothing. In this one setting a comment begins as it does in a requirements file: at the start of a line, or after a
space. No other setting is read in another way than tox's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tox.config.loader.ini import IniLoader

from tox_wheelfarm.failure import ShownError

if TYPE_CHECKING:
    from tox.config.loader.api import Loader
    from tox.config.main import Config
    from tox.config.sets import ConfigSet

KEY = "constraints"
INSIDE = r"(?<=[^\s\\])#"
COMMENTED = r"(?i)\S\s+(?P<comment>#\s*(?:sha\d+|md5)\s*[=:]\s*[0-9a-f].*)"
"""Compiled when there are constraints to look at, which is not often."""


class FragmentLoader(IniLoader):
    """Reads `constraints` of one section as it is written, and no other key.

    What the setting takes from other sections (`{[base]bounds}`) is read in the same way.
    """

    @classmethod
    def beside(cls, loader: IniLoader) -> FragmentLoader:
        """One for the section of another."""
        own = cls.__new__(cls)
        # A copy: how a loader is made is tox's own affair, and changes.
        vars(own).update(vars(loader))
        own.overrides = {key: each for key, each in loader.overrides.items() if key == KEY}
        return own

    def load_raw(self, key: str, conf: Config | None, env_name: str | None) -> str:
        """The setting's text.

        Raises:
            KeyError: the section does not have it, or another is asked for.
        """
        if key != KEY:
            raise KeyError(key)
        return super().load_raw(key, conf, env_name)

    @staticmethod
    def process_raw(conf: Config | None, env_name: str | None, value: str) -> str:
        """The text for this environment, without comments.

        Raises:
            KeyError: nothing of it is for this environment.
            ShownError: a comment looks like a hash.
        """
        for line in value.splitlines():
            told = None if line.startswith("#") else re.search(COMMENTED, line)
            if told:
                raise ShownError(
                    f"ConstraintsError: constraints: {told['comment']!r} is a comment, in which a hash checks nothing: "
                    "write #sha256=… without a space before it, or --hash=sha256:…"
                )
        return IniLoader.process_raw(conf, env_name, re.sub(INSIDE, r"\#", value))

    def found_keys(self) -> set[str]:
        """None: the loader beside it tells them."""
        return set()


def keep(conf: ConfigSet) -> None:
    """Have `constraints` of a configuration read with what stands behind a `#`."""
    both: list[Loader[Any]] = []
    for loader in conf.loaders:
        both += [FragmentLoader.beside(loader), loader] if isinstance(loader, IniLoader) else [loader]
    conf.loaders[:] = both
