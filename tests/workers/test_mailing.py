"""Mail by a real small mail server: TLS, the password, what is said without them, and time limits."""

import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from farm_scheduler.errors import FarmError, FeedbackError, InputError
from farm_scheduler.feedback_tables import Channel
from farm_scheduler.mail_server import MailServer as Setting
from farm_scheduler.mail_server import mail_server
from farm_scheduler.settings import Settings
from farm_workers.feedback import mailing
from farm_workers.feedback.mailing import send_mail

from .mail_server import PASSWORD, QUOTED, MailServer, certificate
from .test_feedback_injection import telling


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A certificate that nobody trusts."""
    return certificate(tmp_path)


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 is not this host."""
    monkeypatch.setattr(Setting, "is_here", False)


def mail_to(url: SecretStr) -> None:
    """Send the hostile report."""
    send_mail(telling(Channel.EMAIL), Settings(smtp_url=url))


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.usefixtures("far")
def test_a_usual_mail_server_takes_mail(scheme: str, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password goes over TLS, and only where the certificate is good."""
    offers = ("STARTTLS", "AUTH PLAIN")
    with MailServer(offers, pem, tls=scheme == "smtps") as server:
        with pytest.raises(FeedbackError, match="SSLCertVerificationError"):
            mail_to(server.url(scheme, QUOTED))
        assert not any(each.startswith(b"AUTH") for each in server.commands)
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        mail_to(server.url(scheme, QUOTED))
    assert server.safe == [True]


@pytest.mark.usefixtures("far")
def test_a_password_is_not_sent_in_the_clear() -> None:
    """A server elsewhere without STARTTLS is told nothing, and the sentence says what to write."""
    with MailServer(["AUTH PLAIN"]) as server, pytest.raises(FeedbackError, match="write smtps://") as caught:
        mail_to(server.url("smtp", QUOTED))
    assert {each.split()[0].upper() for each in server.commands} <= {b"EHLO", b"QUIT"}
    assert PASSWORD not in str(caught.value)


def test_a_server_on_this_host_needs_no_tls() -> None:
    """There is nobody in between."""
    with MailServer(["AUTH PLAIN"]) as server:
        mail_to(server.url("smtp", QUOTED))
    assert server.safe == [False]


@pytest.mark.usefixtures("far")
def test_tls_is_taken_where_it_is_offered(pem: Path) -> None:
    """Without a password any certificate does, as between mail servers."""
    with MailServer(["STARTTLS"], pem) as server:
        mail_to(server.url("smtp"))
    assert server.safe == [True]


def test_a_wrong_password_is_told_without_it() -> None:
    """Not even where the server repeats it."""
    refused = pytest.raises(FeedbackError, match="refused the user or password")
    with MailServer(["AUTH PLAIN"]) as server, refused as caught:
        mail_to(server.url("smtp", "me:secret-word"))
    told = str(caught.value)
    assert "secret" not in told
    assert "c2VjcmV0" not in told


def test_a_server_that_drips_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole mail has a time, however its answers come, and the server counts as slow."""
    monkeypatch.setattr(mailing, "ALL_SECONDS", 1.0)
    begun = time.monotonic()
    with MailServer(drip=True) as server, pytest.raises(FeedbackError) as caught:
        mail_to(server.url("smtp"))
    assert time.monotonic() - begun < 5
    assert caught.value.data["slow"]


def test_a_silent_server_is_slow(pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing is left alone for a while, as a dripping one."""
    monkeypatch.setattr(mailing, "SILENT_SECONDS", 0.5)
    with MailServer(pem=pem, tls=True) as server, pytest.raises(FeedbackError) as caught:
        mail_to(server.url("smtp"))
    assert caught.value.data["slow"]


@pytest.mark.parametrize(
    "url",
    [
        "", "mail.example.org", "http://me:hidden@mail.example.org", "smtp://me:hid/den@mail.example.org",
        "smtp://me:12/hidden@mail.example.org", "smtp://me:hid#den@mail.example.org", "smtp://me@mail.example.org",
        "smtp://:hidden@mail.example.org", "smtp://me:h%C3%A4hidden@mail.example.org", "smtp://[me:hidden@x",
        "smtp://me:hidden@mail.example.org:99999",
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_read_is_not_repeated(url: str) -> None:
    """Each is one sentence that names the setting, and no part of it."""
    with pytest.raises(InputError, match="WHEELFARM_SMTP_URL") as caught:
        mail_server(Settings(smtp_url=SecretStr(url)))
    assert isinstance(caught.value, FarmError)
    assert "hid" not in str(caught.value)
    assert "hid" not in repr(Settings(smtp_url=SecretStr(url)))


def test_a_setting_is_read() -> None:
    """Scheme, host, port, user and password; the password is in no repr."""
    found = mail_server(Settings(smtp_url=SecretStr(f"smtps://{QUOTED}@mail.example.org")))
    assert (found.host, found.port, found.tls, found.password) == ("mail.example.org", 465, True, PASSWORD)
    assert PASSWORD not in repr(found)
    assert mail_server(Settings(smtp_url=SecretStr("smtp://localhost"))).is_here
