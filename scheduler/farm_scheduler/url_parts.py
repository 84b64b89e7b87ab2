"""URLs that others wrote, taken apart: Python's own reader raises ValueError at some of them, here and in their ports.

Called by targets, git_access and listeners before anything looks into such a URL. It asks nobody anything.
"""

from urllib.parse import SplitResult, urlsplit

from farm_scheduler.errors import TargetError


def read_url(url: str) -> SplitResult:
    """The parts of a URL, whose host and port can be asked for without fear.

    Raises:
        TargetError: it is none.
    """
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port
    except ValueError as error:
        raise TargetError(
            "that is no URL: its host or its port cannot be read; write https://HOST/PATH"
        ) from error
    return parts
