# -*- coding: utf-8 -*-
"""Installs with uv what tox would have installed with pip, where both give the same; else pip is run as ever.

`wheelfarm_tox` calls it in the farm only: never for tox by hand, never where a project has an installer or an
`install_command` of its own. pip has the last word: whatever uv cannot do, or does otherwise than pip would,
is taken back and done by pip, whose outcome counts. What is installed already is never replaced by uv.

uv differs from pip in three ways that a project could see: it ignores an upper bound of Requires-Python, which leads
to pip; it takes no pre-release because a specifier names one, so it is told of each such package, if need be in
another round; and it has options of its own (variables, configuration files, `tool.uv`), which are kept from it here.
"""

import logging
import os
import re
import tempfile
import traceback

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

BY_PIP = "WHEELFARM_PIP"
"""Set to anything in the environment of tox, it leaves everything to pip."""

_ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), *[".."] * 4))
UV = os.path.join(_ROOT, "opt/wheelfarm/bin/uv")
CONFIGURATION = os.path.join(_ROOT, "etc/uv/uv.toml")

_OLDEST = (3, 8)
_OLDEST_WITH_EDITABLES = (3, 9)  # the pip of 3.8 makes another kind of editable installs
_PIP = ["python", "-I", "-m", "pip", "install"]
_SAME = {"--no-deps": ["--no-deps"], "--force-reinstall": ["--reinstall"], "--pre": ["--prerelease", "allow"]}
# Variables of pip that do not change what is installed.
_HARMLESS = frozenset(
    "PIP_" + name
    for name in ("CACHE_DIR", "DEFAULT_TIMEOUT", "DISABLE_PIP_VERSION_CHECK", "NO_CACHE_DIR", "NO_COLOR")
    + ("NO_INPUT", "NO_PYTHON_VERSION_WARNING", "NO_WARN_SCRIPT_LOCATION", "PROGRESS_BAR", "QUIET", "RETRIES")
    + ("ROOT_USER_ACTION", "TIMEOUT", "VERBOSE")
)
_MESSAGE_CHARACTERS = 4000
_DEEPEST_FILE = 10


class ForPipError(Exception):
    """The reason why pip is asked."""


def take_over(tox_env_class, pip_class):
    """Let uv try every installation that tox's own pip installer begins."""
    original = tox_env_class.execute

    def execute(self, cmd, stdin, *positional, **named):
        if named.get("run_id", "").startswith("install_") and type(self.installer) is pip_class:
            run = _run_with(original, self, stdin, positional, named)
            outcome = try_uv(self, [str(part) for part in cmd], run)
            if outcome is not None:
                return outcome
        return original(self, cmd, stdin, *positional, **named)

    tox_env_class.execute = execute


def _run_with(original, tox_env, stdin, positional, named):
    def run(command):
        # tox refuses programs from outside of the environment that the project has not named.
        allowed = tox_env.conf["allowlist_externals"]
        allowed.append(command[0])
        try:
            return original(tox_env, command, stdin, *positional, **named)
        finally:
            allowed.remove(command[0])

    return run


def try_uv(tox_env, command, run):
    """The outcome of uv in place of this command, or None if pip is to do it; never raises for itself."""
    try:
        return _try_uv(tox_env, command, run)
    except ForPipError as reason:
        logging.warning("pip installs: %s", reason)
    except Exception:
        logging.warning("pip installs, as uv's part failed: %s", traceback.format_exc())
    return None


def _try_uv(tox_env, command, run):
    if os.environ.get(BY_PIP) or not os.path.exists(UV):
        return None
    if command[: len(_PIP)] != _PIP:
        raise ForPipError("the project has an install_command of its own")
    version = tuple(tox_env.base_python.version_info[:3])
    if version[:2] < _OLDEST:
        return None
    variables = tox_env.environment_variables
    for name in sorted(variables):
        if name.startswith("PIP_") and name not in _HARMLESS and (name, variables[name]) != ("PIP_USER", "0"):
            raise ForPipError("the variable %s is for pip" % name)
    arguments = Arguments(command[len(_PIP) :], str(tox_env.core["tox_root"]), version)
    site = str(tox_env.env_site_package_dir())
    before = installed(site)
    pins = [entry for entry in before.values() if entry.linked or not arguments.without_dependencies]
    with tempfile.NamedTemporaryFile("w", prefix="wheelfarm-", suffix=".txt") as constraints:
        constraints.write("".join("%s==%s\n" % (entry.name, entry.version) for entry in pins))
        constraints.flush()
        python = ["--python", str(tox_env.env_python())]
        begin = ["/usr/bin/env"] + [
            part for name in sorted(variables) if _misleads(name) for part in ("-u", name)
        ]
        begin += [UV, "pip"]
        options = ["--config-file", CONFIGURATION, "--cache-dir", _cache_folder()] + python
        while True:
            outcome = run(begin + ["install"] + options + arguments.for_uv(constraints.name))
            if outcome.exit_code != 0:
                said = ((outcome.out or "") + (outcome.err or "")).strip()[-_MESSAGE_CHARACTERS:]
                raise ForPipError("uv ended with %s and said:\n%s" % (outcome.exit_code, said))
            new = {key: entry for key, entry in installed(site).items() if before.get(key) != entry}
            reason, early = otherwise_than_pip(new, version, arguments.early)
            if reason is None:
                return outcome
            if new:
                run(begin + ["uninstall"] + options + sorted(new))
            if not early:
                raise ForPipError(reason)
            arguments.early |= early  # it grows by names of packages in each round


def _misleads(name):
    """Whether a variable of the project would reach uv, or the builds that it starts, and not those of pip."""
    return name.startswith("UV_") or name == "PYTHONPATH"


def _cache_folder():
    """Apart from the cache of a uv that the project runs."""
    return os.path.join(os.path.expanduser("~"), ".cache", "wheelfarm", "uv")


class Arguments(object):
    """The arguments of `pip install`, if uv takes them for the same. Raises ForPipError."""

    def __init__(self, arguments, folder, version):
        self._folder = folder
        self._version = version
        self._options = []
        self._refresh = False
        self.early = set()  # packages of which pip would take a pre-release
        self.without_dependencies = "--no-deps" in arguments
        rest = list(arguments)
        while rest:
            self._take(rest.pop(0), rest)

    def for_uv(self, constraints):
        """The arguments of `uv pip install`; `constraints` is a file."""
        ours = ["--no-sources", "--link-mode", "copy", "--constraint", constraints]
        if "allow" not in self._options:
            ours += ["--prerelease", "if-necessary"]
            ours += [part for name in sorted(self.early) for part in ("--prerelease-package", name + "=allow")]
        # uv would build a folder once for all environments, pip builds it for each.
        return ours + ["--refresh"] * self._refresh + self._options

    def _take(self, argument, rest):
        if argument in _SAME:
            self._options += _SAME[argument]
        elif argument.startswith("--config-settings="):
            self._options.append(argument)
        elif argument[:2] in ("-r", "-c", "-e") and not argument.startswith("--"):
            value = argument[2:] or (rest.pop(0) if rest else "")
            if argument[:2] == "-e":
                self._check_editable()
            else:
                self._check_file(os.path.join(self._folder, value), 0)
            self._options += [argument[:2], value]
        elif argument.startswith("-"):
            raise ForPipError("the option %s is for pip" % argument.partition("=")[0])
        else:
            self._check_requirement(argument)
            self._options.append(argument)

    def _check_editable(self):
        if self._version[:2] < _OLDEST_WITH_EDITABLES:
            raise ForPipError("an editable install")
        self._refresh = True

    def _check_file(self, path, depth):
        if depth > _DEEPEST_FILE or "://" in path:
            raise ForPipError("requirements from elsewhere")
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (OSError, ValueError):
            raise ForPipError("requirements that cannot be read: %s" % path)
        for line in re.sub(r"\\\r?\n", " ", text).splitlines():
            line = re.sub(r"(^|\s)#.*", "", line).strip()
            option = re.match(r"(-r|--requirement|-c|--constraint)(?:\s+|=|(?=[^-\s]))(.+)$", line)
            if option:
                self._check_file(os.path.join(os.path.dirname(path), option.group(2).strip()), depth + 1)
            elif re.match(r"(-e|--editable)\b", line):
                self._check_editable()
            elif line.startswith("-"):
                raise ForPipError("the option %s in %s is for pip" % (line.split()[0], path))
            elif line:
                self._check_requirement(line)

    def _check_requirement(self, text):
        if "://" in text or " --" in text or "${" in text:
            raise ForPipError("a requirement that pip reads better: %s" % text)
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            self._refresh = True  # a file or a folder
            return
        if requirement.url:
            raise ForPipError("a requirement that pip reads better: %s" % text)
        if names_prerelease(requirement.specifier):
            if requirement.marker is not None:
                raise ForPipError("a pre-release is named: %s" % text)
            self.early.add(canonicalize_name(requirement.name))


class Entry(object):
    """One installed distribution; `linked` if virtualenv shares its files between environments."""

    def __init__(self, folder):
        self.folder = folder
        self.name, _, self.version = os.path.basename(folder)[: -len(".dist-info")].rpartition("-")
        self.linked = os.path.islink(folder)
        self._inode = os.stat(folder).st_ino

    def __eq__(self, other):
        return (self.folder, self._inode) == (getattr(other, "folder", None), getattr(other, "_inode", None))

    __hash__ = None

    def metadata(self):
        """The headers of METADATA as pairs of name and value, names in small letters."""
        pairs = []
        with open(os.path.join(self.folder, "METADATA"), encoding="utf-8", errors="replace") as file:
            for line in file:
                if not line.strip():
                    break
                name, _, value = line.partition(":")
                pairs.append((name.lower(), value.strip()))
        return pairs


def installed(site):
    """The distributions in a folder by their canonical names."""
    entries = [Entry(os.path.join(site, name)) for name in os.listdir(site) if name.endswith(".dist-info")]
    return {canonicalize_name(entry.name): entry for entry in entries}


def otherwise_than_pip(new, version, early):
    """Why pip would not have installed just these (None if it would), and the packages to take pre-releases of.

    `early` are those of which they were taken. With no such packages only pip does what pip does.
    """
    python = Version(".".join(str(part) for part in version))
    reason, found = None, set()
    for entry in new.values():
        for name, value in entry.metadata():
            if name == "requires-python" and not _fits(value, python):
                return "%s %s is for Python %s" % (entry.name, entry.version, value), set()
            asked = _prerelease_of(value, new) if name == "requires-dist" else None
            if asked is None or asked in early:
                continue
            reason = "%s %s names a pre-release: %s" % (entry.name, entry.version, value)
            if not asked:
                return reason, set()
            found.add(asked)
    return reason, found


def _fits(value, python):
    try:
        return SpecifierSet(value).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True  # as for pip


def _prerelease_of(value, new):
    """The package of which this requirement names a pre-release, if it was installed; empty if only pip can tell."""
    try:
        requirement = Requirement(value)
    except InvalidRequirement:
        return ""
    name = canonicalize_name(requirement.name)
    if name not in new or not names_prerelease(requirement.specifier):
        return None
    return "" if requirement.marker else name


def names_prerelease(specifiers):
    """Whether pip takes pre-releases, as one is named."""
    for specifier in specifiers:
        if specifier.operator == "!=":
            continue
        try:
            if Version(specifier.version.replace(".*", "")).is_prerelease:
                return True
        except InvalidVersion:
            return True
    return False
