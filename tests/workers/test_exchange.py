"""One request to a forge: at the address that was checked, without redirects, bounded, and told in one sentence."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from farm_scheduler import git_access
from farm_scheduler.errors import FeedbackError, TargetError
from farm_scheduler.settings import Settings
from farm_workers.feedback import exchange
from farm_workers.feedback.exchange import ask, outgoing, send


class Server:
    """Answers with `reply`: a status, headers and a body."""

    def __init__(self) -> None:
        self.reply: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")
        self.hosts: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.hosts.append(self.headers["Host"])
                status, headers, body = server.reply
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_port


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server."""
    found = Server()
    thread = threading.Thread(target=found.http.serve_forever)
    thread.start()
    yield found
    found.http.shutdown()
    found.http.server_close()
    thread.join(timeout=10)


@pytest.fixture
def open_settings(settings: Settings, server: Server) -> Settings:
    """A farm that may ask the server."""
    return settings.model_copy(update={"git_hosts": (f"127.0.0.1:{server.port}",)})


def get(server: Server, host: str = "127.0.0.1") -> exchange.Outgoing:
    """A request for it."""
    return outgoing(f"http://{host}:{server.port}/x", {"Authorization": "token secret"}, method="GET")


def test_the_address_that_was_checked_is_the_one_that_is_asked(
    settings: Settings, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is not looked up again: the addresses that were checked are asked, one after the other, in its name."""
    monkeypatch.setattr(exchange, "allowed_addresses", lambda _url, _settings: ("::1", "127.0.0.1"))

    look_up = socket.getaddrinfo

    def elsewhere(host: str, *arguments: Any, **named: Any) -> Any:
        assert host in {"::1", "127.0.0.1"}, "the name was looked up again"
        return look_up(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", elsewhere)
    assert ask(get(server, "forge.example"), settings).document == {}
    assert server.hosts == [f"forge.example:{server.port}"]


@pytest.mark.parametrize(("name", "right"), [("forge.example", True), ("other.example", False)])
def test_a_certificate_must_be_that_of_the_name(
    settings: Settings,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    name: str,
    right: bool,
) -> None:
    """Over TLS the certificate is checked for the host's name, though its address is what is asked."""
    certificate = tmp_path / "pem"
    certificate.write_bytes(self_signed("forge.example"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(exchange, "allowed_addresses", lambda _url, _settings: ("127.0.0.1",))
    request = outgoing(f"https://{name}:{server.port}/x", {}, method="GET")
    if right:
        assert ask(request, settings).document == {}
    else:
        with pytest.raises(FeedbackError, match="ConnectError"):
            ask(request, settings)


def self_signed(name: str) -> bytes:
    """A key and a certificate for this name, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    here, day = datetime.now(UTC), timedelta(days=1)
    made = x509.CertificateBuilder(who, who, key.public_key(), 1, here - day, here + day)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret + made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
def test_an_internal_address_is_not_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """A public name that leads inside is refused before anything is connected."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(git_access.socket, "getaddrinfo", lambda *_args, **_named: found)
    with pytest.raises(TargetError, match="no public address"):
        ask(outgoing("https://forge.example/x", {}, method="GET"), settings)


def test_a_redirect_is_a_refusal(open_settings: Settings, server: Server) -> None:
    """Nobody is sent on, with or without the token."""
    server.reply = (307, {"Location": f"http://127.0.0.1:{server.port}/elsewhere"}, b"")
    for way in (ask, send):
        with pytest.raises(FeedbackError, match="answered 307"):
            way(get(server), open_settings)
    assert len(server.hosts) == 2


@pytest.mark.parametrize(
    "body", [b"<html>", b"[" * 100_000, b"\xff", b'"' + b"x" * (exchange.MOST_BYTES + 1) + b'"']
)
def test_an_answer_that_is_none_is_told(open_settings: Settings, server: Server, body: bytes) -> None:
    """What is no JSON, too deep or too large is one sentence, without anything of what was sent or said."""
    server.reply = (200, {}, body)
    with pytest.raises(FeedbackError) as caught:
        ask(get(server), open_settings)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_server_that_breaks_off_is_told(open_settings: Settings, server: Server) -> None:
    """An end amid an answer is no fault of the farm's code."""
    server.reply = (200, {"Transfer-Encoding": "chunked"}, b"zz")
    with pytest.raises(FeedbackError, match="it is tried again"):
        ask(get(server), open_settings)
