"""The root of every error that the farm raises on purpose, and those of the images room.

Called by every room (farm_scheduler.errors re-exports the root and adds its own). It never formats for a
terminal or for HTTP: the doors do that from `code`, the data attributes and the sentence.
"""

from typing import ClassVar

LONGEST_SENTENCE = 500
"""Characters of an error's sentence: what it quotes may be as long as a stranger likes."""


class FarmError(Exception):
    """An error with a stable code, data attributes, and one sentence that says what to do.

    Attributes:
        code: stable, kebab-case, unique over the farm; documented in docs and problem+json.
        data: the values of the sentence, by name, JSON-compatible.
    """

    code: ClassVar[str] = "farm-error"

    def __init__(self, sentence: str, **data: object) -> None:
        sentence = _bounded(sentence)
        super().__init__(sentence)
        self.sentence = sentence
        self.data = data


def _bounded(sentence: str) -> str:
    """What is too long to be read, without its middle: the start says what is wrong, the end what to do."""
    if len(sentence) <= LONGEST_SENTENCE:
        return sentence
    half = LONGEST_SENTENCE // 2
    return f"{sentence[:half]} […] {sentence[5 + half - LONGEST_SENTENCE :]}"


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
