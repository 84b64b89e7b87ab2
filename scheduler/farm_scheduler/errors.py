"""The errors of the scheduler, and the root of all of them: what went wrong, and whose turn it is.

Called by every room above. An error is raised with one sentence that says what to do; the doors choose the
form (terminal, problem+json) and take the exit code from `exit_code_of`. Nothing here formats.
"""

from typing import ClassVar

from farm_images.errors import FarmError

__all__ = [
    "AccessError",
    "CursorError",
    "EngineError",
    "FarmError",
    "FeedbackError",
    "IdempotencyError",
    "IndexUnavailableError",
    "InputError",
    "NoRoomError",
    "NotFoundError",
    "PlanError",
    "PreconditionError",
    "RecordError",
    "RerunError",
    "SecretKeyError",
    "ShellError",
    "SourceError",
    "StateError",
    "TargetError",
    "TokenError",
    "TooBusyError",
    "UploadError",
    "exit_code_of",
]

WRONG_USE = 2
FARMS_FAULT = 3


def exit_code_of(error: FarmError) -> int:
    """The exit code of a command that this error ends: 2 wrong use or bad input, 3 the farm's own fault."""
    code = getattr(type(error), "exit_code", FARMS_FAULT)
    return int(code)


class InputError(FarmError):
    """What the person gave cannot be used; nothing was started."""

    code = "input"
    exit_code: ClassVar[int] = WRONG_USE


class TargetError(InputError):
    """TARGET names nothing that can be fetched or read: unknown name, version or ref, no sdist, no folder, no file."""

    code = "target"


class SourceError(InputError):
    """The source was found and is unusable: damaged, too large, not a project, unsafe members."""

    code = "source"


class PlanError(InputError):
    """The project's configuration cannot be read, or the matrix selects nothing."""

    code = "plan"


class IndexUnavailableError(FarmError):
    """The package index or the git server did not answer, or answered nonsense: nobody's fault who asked."""

    code = "index-unavailable"
    exit_code: ClassVar[int] = FARMS_FAULT


class RecordError(FarmError):
    """The record cannot be opened, is newer than this program, or holds no such row."""

    code = "record"
    exit_code: ClassVar[int] = FARMS_FAULT


class NoRoomError(FarmError):
    """The disk of the farm's home is full, or its quota used up."""

    code = "no-room"
    exit_code: ClassVar[int] = FARMS_FAULT


class SecretKeyError(FarmError):
    """The farm's own key, with which it seals the secrets of projects, is damaged, unreadable or another one."""

    code = "secret-key"
    exit_code: ClassVar[int] = FARMS_FAULT


class NotFoundError(InputError):
    """No run, job or attempt has that id."""

    code = "not-found"


class ProjectError(InputError):
    """The name or the repository belongs to another project."""

    code = "project"


class RerunError(InputError):
    """The job cannot be run again now (it has not ended, nor has its run), or not any more (its source is gone)."""

    code = "rerun"


class ShellError(InputError):
    """There can be no shell for the job: it never had environments, or its source is gone."""

    code = "shell"


class StateError(FarmError):
    """A state was asked to become one that its table of transitions does not allow."""

    code = "state"
    exit_code: ClassVar[int] = FARMS_FAULT


class EngineError(FarmError):
    """The engine (Celery on Redis) did not take a message."""

    code = "engine"
    exit_code: ClassVar[int] = FARMS_FAULT


class FeedbackError(FarmError):
    """A forge, a webhook or a mail server did not take what it was told of a run."""

    code = "feedback"
    exit_code: ClassVar[int] = FARMS_FAULT


class TokenError(InputError):
    """No token was given where one is needed, or it is wrong, revoked or expired."""

    code = "token"


class AccessError(InputError):
    """The token is good, but not for this: its role or its project is another."""

    code = "access"


class CursorError(InputError):
    """The cursor of a page was not made by this farm for this list."""

    code = "cursor"


class IdempotencyError(InputError):
    """The Idempotency-Key was used for another request, or the request that has it has not ended yet."""

    code = "idempotency"


class PreconditionError(InputError):
    """What is to be changed is not what the If-Match names: it was changed since, or is not there."""

    code = "precondition"


class UploadError(InputError):
    """An upload cannot go on like this: a wrong offset, too many bytes, no archive, or it is complete already."""

    code = "upload"


class TooBusyError(FarmError):
    """Too many requests at once, or too many in a short time; `retry_after` is in seconds."""

    code = "too-busy"
    exit_code: ClassVar[int] = FARMS_FAULT
