"""The path of an operation from words and ids, so that no id can lead to another operation.

Called by farm, projects and uploading for every path with an id in it. It sends nothing.
"""

from urllib.parse import quote

from wheelfarm_client.errors import MissingError


def path_of(*parts: str) -> str:
    """`/runs/ID/report` from its parts, each quoted whole.

    Raises:
        MissingError: nothing can be called so: it is empty, a dot or two, or has a slash, which a server reads as one
            however it is quoted.
    """
    for part in parts:
        if part in {"", ".", ".."} or "/" in part:
            raise MissingError(404, "not-found", f"nothing on a farm is called {part!r}", {})
    return "".join(f"/{quote(part, safe='')}" for part in parts)
