"""Hostile words in what goes out: no header, line or address of a request or a mail is theirs."""

import json
from email import message_from_bytes
from email.policy import default
from urllib.parse import urlsplit

import pytest

from farm_scheduler.errors import InputError
from farm_scheduler.feedback import Telling
from farm_scheduler.feedback_tables import Channel
from farm_scheduler.listeners import add_listener
from farm_scheduler.run_summary import Summary
from farm_scheduler.secret_box import secret_box
from farm_scheduler.settings import Settings
from farm_scheduler.tables import Project
from farm_workers.feedback.mailing import send_mail
from farm_workers.feedback.requests import FORGES, status_request, webhook_request

from .mail_server import MailServer

HOSTILE = "x\r\nBcc: victim@example.org\r\n\r\n.\r\nMAIL FROM:<a@b>\x00\ud800\u2028'; DROP TABLE run; --"
SECRET = "whsec_" + "QUJD" * 10


def telling(channel: Channel, forge: str = "github") -> Telling:
    """A report whose every word that others choose is hostile."""
    summary = Summary(run_id="r-1", outcome="failure", text=HOSTILE, url="https://farm.example/runs/r-1",
                      failing=(HOSTILE, HOSTILE))  # fmt: skip
    return Telling(
        report_id="t-1", channel=channel, place="me@example.org", sealed=None, project_id="p-1", project="demo",
        forge=forge, repository="https://git.example.org/me/demo?x=#y/../z.git", trigger="push", ref=HOSTILE,
        revision="a" * 40, summary=summary,
    )  # fmt: skip


@pytest.mark.parametrize("forge", FORGES)
def test_a_status_has_no_header_of_theirs(forge: str) -> None:
    """What is told a forge goes to that forge, with the farm's headers, and hostile words are inside its JSON."""
    request = status_request(telling(Channel.STATUS, forge), "token-of-the-forge")
    parts = urlsplit(request.url)
    assert parts.hostname in {"git.example.org", "api.bitbucket.org"}
    assert (parts.query, parts.fragment) == ("", "")
    assert all(value.isprintable() and value.isascii() for value in request.headers.values())
    assert set(request.headers) <= {
        "Content-Type",
        "Authorization",
        "Accept",
        "PRIVATE-TOKEN",
        "X-GitHub-Api-Version",
    }
    assert b"\n" not in request.body
    assert json.loads(request.body)


def test_a_webhook_has_no_header_of_theirs() -> None:
    """The farm's own webhook has its five headers and one line of JSON, whatever a branch or a test is called."""
    request = webhook_request(telling(Channel.WEBHOOK), SECRET, "t-1")
    assert set(request.headers) == {"Content-Type", "webhook-id", "webhook-timestamp", "webhook-signature"}
    assert all(value.isprintable() and value.isascii() for value in request.headers.values())
    assert b"\n" not in request.body
    assert json.loads(request.body)["ref"] == HOSTILE


@pytest.mark.parametrize(
    ("channel", "place"),
    [
        (Channel.EMAIL, "a@b.org\r\nBcc: x@y.org"), (Channel.EMAIL, "a@b.org, x@y.org"), (Channel.EMAIL, "<a@b.org>"),
        (Channel.EMAIL, "a@b.org\x00"), (Channel.EMAIL, "a\u2028@b.org"), (Channel.EMAIL, "a@" + "b" * 300),
        (Channel.EMAIL, "=?x?b?!!?=@b"), (Channel.EMAIL, "=?utf-8?q?x=0d=0aBcc:_c=40d?=@b"),
        (Channel.EMAIL, "a@=?utf-8?q?x?="), (Channel.EMAIL, "a..b@c.org"), (Channel.EMAIL, "\u00e4@b.org"),
        (Channel.EMAIL, '"a b"@c.org'), (Channel.EMAIL, "a@b.org\ud800"), (Channel.WEBHOOK, "https://x.org/\r\nX: 1"),
        (Channel.WEBHOOK, "https://x.org/ HTTP/1.1"), (Channel.WEBHOOK, "https://\u2028x.org/"),
        (Channel.WEBHOOK, "gopher://x.org/"), (Channel.STATUS, None),
    ],
)  # fmt: skip
def test_no_place_or_token_holds_a_line(
    database, settings: Settings, channel: Channel, place: str | None
) -> None:
    """An address, a URL or a token that could begin a header or a line of its own is refused when it is given."""
    with database.write() as session:
        project = Project(id="p-1", name="demo", forge="github", repository="https://github.com/me/demo.git")
        session.add(project)
        with pytest.raises(InputError):
            add_listener(
                session,
                secret_box(settings),
                project,
                channel,
                place=place,
                token="token-of\r\nX-Injected: 1",
            )


def test_a_mail_has_one_receiver_and_no_header_of_theirs(mail: MailServer, settings: Settings) -> None:
    """A ref and tests with line breaks become text of one mail to one address."""
    send_mail(telling(Channel.EMAIL), settings.model_copy(update={"smtp_url": mail.url("smtp")}))
    assert [each for each in mail.commands if each.upper().startswith(b"RCPT")] == [
        b"rcpt TO:<me@example.org>"
    ]
    (sent,) = mail.messages
    message = message_from_bytes(sent, policy=default)
    assert (message["To"], message["Bcc"]) == ("me@example.org", None)
    assert set(message.keys()) <= {
        "From", "To", "Subject", "Message-ID", "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip
    assert "DROP TABLE" in message.get_content()
