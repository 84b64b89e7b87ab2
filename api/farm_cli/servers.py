"""The farms elsewhere that a person has logged in to, and a client of one.

Called by login and by every command with `--server`. Tokens are kept in a file that only the person can read, or come
from `WHEELFARM_TOKEN`; they are never shown and never on a command line.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from farm_cli.errors import ServerError, ServerRefusalError
from farm_scheduler.errors import InputError
from wheelfarm_client import ClientError, DeniedError, Farm, ProblemError

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
TOKEN = re.compile(r"[!-~]+")


@contextmanager
def open_server(url: str, token: str | None = None) -> Iterator[Farm]:
    """A client of the farm at an address, with its token if there is one.

    Raises:
        InputError: the address is none, or the token.
        ServerRefusalError: the farm refuses what is asked for; also in the block.
        ServerError: it does not answer, or is out of order; also in the block.
    """
    address = clean_address(url)
    secret = token or os.environ.get("WHEELFARM_TOKEN") or read_logins().get(address)
    if secret is not None:
        check_token(secret)
    try:
        with Farm(address, secret) as farm:
            yield farm
    except DeniedError as error:
        told = f"{error}; log in: wheelfarm login {address}" if error.status == 401 else str(error)
        raise ServerRefusalError(told, server=address, code=error.code) from error
    except ProblemError as error:
        kind = ServerRefusalError if error.status < 500 else ServerError
        raise kind(str(error), server=address, code=error.code, **error.data) from error
    except ClientError as error:
        raise ServerError(str(error), server=address) from error


def clean_address(url: str) -> str:
    """`https://HOST[:PORT][/PATH]` as it is kept.

    Raises:
        InputError: it is no such address, or would send the token in the clear.
    """
    import httpx

    try:
        parts = urlsplit(url.strip())
        named = bool(httpx.URL(url.strip()).host.strip(".")) and not parts.username
        usable = named and parts.port != 0 and url.isprintable()
    except (
        ValueError,
        httpx.InvalidURL,
    ):  # of a port, of brackets that do not close, or of a name that none has
        usable = False
    if not usable or parts.scheme not in {"http", "https"}:
        raise InputError(f"{url} is no address of a farm; write https://HOST")
    if parts.scheme == "http" and parts.hostname not in LOCAL:
        raise InputError(
            f"{url} would send your token in the clear; write https://{parts.netloc}", url=parts.netloc
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def check_token(token: str) -> None:
    """Refuse, without showing it, what no header can have.

    Raises:
        InputError: it is no token.
    """
    if not TOKEN.fullmatch(token):
        raise InputError(
            "the token is none: it has a line's end, a space or a letter that none has; look at WHEELFARM_TOKEN, "
            "or log in again"
        )


def read_logins() -> dict[str, str]:
    """The token by address.

    Raises:
        InputError: the file cannot be read.
    """
    path = logins_file()
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); remove it and log in again") from error
    return {str(name): str(token) for name, token in found.items()} if isinstance(found, dict) else {}


def keep_login(address: str, token: str | None) -> None:
    """Keep a token, or forget that of an address.

    Raises:
        InputError: the file cannot be written.
    """
    path = logins_file()
    logins = {**read_logins(), address: token}
    kept = {name: secret for name, secret in logins.items() if secret is not None}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A temporary file is the person's own (0600) from its first byte on.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as stream:
            json.dump(kept, stream, indent=1)
        Path(stream.name).replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); set XDG_CONFIG_HOME") from error


def logins_file() -> Path:
    """`$XDG_CONFIG_HOME/wheelfarm/servers.json` (XDG base directory specification)."""
    named = os.environ.get("XDG_CONFIG_HOME") or ""
    root = Path(named) if named.startswith("/") else Path.home() / ".config"
    return root / "wheelfarm" / "servers.json"
