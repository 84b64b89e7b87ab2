"""A mail server of the tests' own: it keeps what it is told, with TLS and a password where a test wants them."""

import base64
import ipaddress
import socket
import ssl
import threading
from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from farm_scheduler.tables import now

USER, PASSWORD = "me@example.org", "pa/ss#w@rd%"
QUOTED = "me%40example.org:pa%2Fss%23w%40rd%25"


def certificate(folder: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1, which only those trust who are told to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail of the tests")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "mail.pem"
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(text + made.public_bytes(Encoding.PEM))
    return path


class MailServer:
    """A running one.

    Args:
        offers: of EHLO: `STARTTLS`, `AUTH PLAIN`; with the latter it takes mail only after the password.
        pem: key and certificate.
        tls: from the first byte.
        drip: the answer to EHLO never ends.
    """

    def __init__(
        self, offers: Collection[str] = (), pem: Path | None = None, *, tls: bool = False, drip: bool = False
    ) -> None:
        self.commands: list[bytes] = []
        self.messages: list[bytes] = []
        self.safe: list[bool] = []
        self._offers, self._tls, self._drip, self._over = offers, tls, drip, threading.Event()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if pem is not None:
            self._context.load_cert_chain(pem)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def url(self, scheme: str, user: str = "") -> SecretStr:
        """The setting that leads here."""
        return SecretStr(f"{scheme}://{user}{'@' if user else ''}127.0.0.1:{self.port}")

    def __enter__(self) -> "MailServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=10)
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            with suppress(OSError):
                connection, _ = self._socket.accept()
                connection.settimeout(10)
                if self._tls:
                    connection = self._context.wrap_socket(connection, server_side=True)
                with connection:
                    connection.sendall(b"220 test\r\n")
                    self._talk(connection, greeted=self._tls)

    def _talk(self, connection: socket.socket, *, greeted: bool) -> None:
        """One conversation; after STARTTLS another, over TLS."""
        lines, known = connection.makefile("rb"), "AUTH PLAIN" not in self._offers
        while line := lines.readline():
            self.commands.append(line.strip())
            word = (line.split() or [b""])[0].upper()
            answer = b"250 test\r\n"
            if word == b"EHLO":
                while self._drip and not self._over.wait(0.05):
                    connection.sendall(b"2")
                shown = [each for each in self._offers if not (each == "STARTTLS" and greeted)]
                answer = (
                    "".join(f"250-{each}\r\n" for each in ["test", *shown]).encode() + b"250 8BITMIME\r\n"
                )
            elif word == b"STARTTLS":
                connection.sendall(b"220 go on\r\n")
                with self._context.wrap_socket(connection, server_side=True) as safe:
                    return self._talk(safe, greeted=True)
            elif word == b"AUTH":
                known = base64.b64decode(line.split()[2]) == f"\0{USER}\0{PASSWORD}".encode()
                answer = b"235 yes\r\n" if known else b"535 no, " + line.split()[2] + b"\r\n"
            elif word == b"MAIL" and not known:
                answer = b"530 who?\r\n"
            elif word == b"DATA":
                connection.sendall(b"354 go on\r\n")
                self.messages.append(b"".join(iter(lines.readline, b".\r\n")))
                self.safe.append(greeted)
            connection.sendall(b"221 bye\r\n" if word == b"QUIT" else answer)
            if word == b"QUIT":
                return None
        return None
