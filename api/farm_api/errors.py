"""The errors of the doors: what a request got wrong, each with its HTTP status.

Raised by the doors, and shown as problem+json by the application. They never say which projects there are: a wrong
signature and an unknown project are one answer.
"""

from typing import ClassVar

from farm_scheduler.errors import InputError


class BodyTooLargeError(InputError):
    """The body of a request is larger than the door takes."""

    code = "body-too-large"
    status: ClassVar[int] = 413


class BodyError(InputError):
    """The body of a request is no JSON object, or misses what its door needs."""

    code = "body"
    status: ClassVar[int] = 400


class UnsignedError(InputError):
    """A webhook came without the header that proves where it comes from."""

    code = "webhook-unsigned"
    status: ClassVar[int] = 401


class SignatureError(InputError):
    """A webhook's signature is of no secret of the project that it names, or the farm follows no such project."""

    code = "webhook-signature"
    status: ClassVar[int] = 403
