"""Every way in which an environment is refused, one class each.

Raised anywhere in the package; `failure` shows them in tox as one message. The names of the first six are those of
tox-poetry-installer 0.5 to 1.0, so that scripts that look for them go on working. Never raised for a defect of ours.
"""


class InstallerError(Exception):
    """An environment cannot be had as it was asked for; the message says why and what to do."""


class PoetryNotInstalledError(InstallerError):
    """`require_poetry` or `--require-poetry` was given, and poetry cannot be imported where tox runs."""


class LockedDepVersionConflictError(InstallerError):
    """A locked dependency was named with a version of its own; the lock file decides versions."""


class LockedDepNotFoundError(InstallerError):
    """A dependency that was named is not in the lock file (for this interpreter and platform)."""


class ExtraNotFoundError(InstallerError):
    """An extra or a dependency group that was named is not in the project or its lock file."""


class LockedDepsRequiredError(InstallerError):
    """`require_locked_deps` is set, and the environment also names dependencies that no lock file decides."""


class RequiresUnsafeDepError(InstallerError):
    """pip, setuptools or wheel is needed, and the lock file gives no exact version of it."""


class ConflictError(InstallerError):
    """What is installed does not fit together: every conflict, each with its chain of requirers."""


class HashMissingError(InstallerError):
    """The lock file has no hash for a file that would be installed."""


class StaleLockError(InstallerError):
    """The lock file does not match pyproject.toml; the message says what differs."""


class OfflineMissError(InstallerError):
    """Offline was asked for, and something that is needed is not in the cache."""


class LockFileError(InstallerError):
    """The lock file cannot be found, read or trusted: which one, where, and what is wrong there."""


class ConstraintsError(InstallerError):
    """A constraints file cannot be had or read, has another hash than was said, or excludes a requirement."""


class YankedError(InstallerError):
    """A withdrawn (yanked) release would be installed, and the settings refuse that."""


class InterpreterError(InstallerError):
    """The environment's interpreter cannot be used: too old for every way, or not there."""


class ResolutionError(InstallerError):
    """No set of releases satisfies what was asked for; the message has the resolver's derivation."""


class InstallFailedError(InstallerError):
    """A program that installs (uv, pip) failed; the message ends with what it said."""


class DamagedError(InstallerError):
    """Something of an environment's packages is missing or cannot be read; it has to be rebuilt."""
