"""The box that secrets are kept in: sealed with the farm's key, so that the record alone tells none of them.

Called by project_secrets and feedback. The key is `WHEELFARM_SECRET_KEY`, or a file in the home that only its owner
reads, made on first use. Nothing that is sealed is ever shown again: it is opened to compute a signature.
"""

import contextlib
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from farm_scheduler.errors import SecretKeyError
from farm_scheduler.settings import Settings


class SecretBox:
    """Seals and opens with one key; safe to share between threads.

    Args:
        key: 32 bytes in URL-safe base64, as `Fernet.generate_key` gives.

    Raises:
        SecretKeyError: it is none.
    """

    def __init__(self, key: bytes) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError as error:
            sentence = (
                "the farm's key is not 32 bytes in URL-safe base64; check WHEELFARM_SECRET_KEY or secret.key"
            )
            raise SecretKeyError(sentence) from error

    def seal(self, secret: str) -> str:
        """The secret as the record may hold it."""
        return self._fernet.encrypt(secret.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """The secret again.

        Raises:
            SecretKeyError: it was sealed with another key.
        """
        try:
            return self._fernet.decrypt(sealed.encode("ascii")).decode()
        except InvalidToken as error:
            sentence = (
                "a secret in the record was sealed with another key; "
                "set WHEELFARM_SECRET_KEY to that one, or make new secrets"
            )
            raise SecretKeyError(sentence) from error


def secret_box(settings: Settings) -> SecretBox:
    """The box of this farm; its key is made when there is none.

    Raises:
        SecretKeyError: the key cannot be used, or its file not read or written.
    """
    given = settings.secret_key.get_secret_value()
    if given:
        return SecretBox(given.encode("utf-8"))
    path = settings.home / "secret.key"
    try:
        if not path.exists():
            _make(path)
        return SecretBox(path.read_bytes().strip())
    except OSError as error:
        sentence = f"the farm's secret key {path} cannot be used ({error.strerror}); make it readable"
        raise SecretKeyError(sentence, path=str(path)) from error


def _make(path: Path) -> None:
    """Write a new key whole; where two processes do it at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".secret-{os.getpid()}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(Fernet.generate_key())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
