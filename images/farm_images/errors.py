"""The root of every error that the farm raises on purpose, and those of the images room.

Called by every room (farm_scheduler.errors re-exports the root and adds its own). It never formats for a
terminal or for HTTP: the doors do that from `code`, the data attributes and the sentence.
"""

from typing import ClassVar


class FarmError(Exception):
    """An error with a stable code, data attributes, and one sentence that says what to do.

    Attributes:
        code: stable, kebab-case, unique over the farm; documented in docs and problem+json.
        data: the values of the sentence, by name, JSON-compatible.
    """

    code: ClassVar[str] = "farm-error"

    def __init__(self, sentence: str, **data: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.data = data


class MachineError(FarmError):
    """A machine could not be started, reached or kept; never the project's fault."""

    code = "machine"


class TemplateError(MachineError):
    """A template could not be made or restored; the caller falls back to a cold boot."""

    code = "template"


class ImageError(FarmError):
    """An image could not be baked, found or trusted."""

    code = "image"


class WireError(FarmError):
    """Bytes on the channel do not follow the wire protocol or its bounds."""

    code = "wire"
