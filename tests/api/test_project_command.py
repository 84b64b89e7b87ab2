"""`wheelfarm project`: what it prints, what it keeps, and what it refuses."""

import getpass
import io

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlmodel import select

from farm_cli.main import outcome
from farm_scheduler.access_tables import AuditEntry
from farm_scheduler.event_tables import ProjectSecret
from farm_scheduler.feedback_tables import Listener
from farm_scheduler.projects import find_project

URL = "https://93.184.215.14/me/demo.git"


@pytest.fixture
def farm(database, monkeypatch):
    """A farm with an empty record, whose host has no proxy, and a mail server."""
    monkeypatch.setenv("WHEELFARM_SMTP_URL", "smtp://localhost")
    monkeypatch.setattr("farm_scheduler.git_access.getproxies_environment", dict)
    return database


def add():
    """Add a project."""
    assert outcome(["project", "add", "Demo_X", "--repository", URL, "--forge", "gitea"]) == 0


def test_a_project_is_added_with_a_secret(farm, capsys):
    """The secret alone is on stdout, once, and the record does not have it."""
    add()
    said = capsys.readouterr()
    assert said.out.startswith("whsec_")
    assert "/webhooks/gitea" in said.err
    with farm.read() as session:
        project = find_project(session, "demo.x")
        (kept,) = session.exec(select(ProjectSecret))
    assert (project.name, project.forge, project.address) == ("demo-x", "gitea", "93.184.215.14/me/demo")
    assert said.out.strip() not in kept.sealed
    assert outcome(["project", "list"]) == 0
    assert "whsec_" not in capsys.readouterr().out


def test_a_repository_is_not_looked_up(farm, monkeypatch):
    """Its address is checked when it is fetched: a name that has none at this moment is no reason to refuse it."""
    del farm
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("a name was looked up"))
    assert outcome(["project", "add", "demo", "--repository", "https://github.com/me/demo.git"]) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["add", "a b"], "is no name of a project"),
        (["add", "demo-x"], "there is a project demo-x already"),
        (["add", "y", "--repository", URL, "--forge", "gitea"], "belongs to the project demo-x"),
        (["add", "y", "--repository", URL], "which forge is"),
        (["add", "y", "--repository", URL, "--forge", "sourcehut"], "which forge is"),
        (["add", "y", "--forge", "github"], "a forge without a repository"),
        (["add", "y", "--repository", "file:///etc"], "folder of the farm's host"),
        (["add", "y", "--repository", "ext::sh"], "the farm asks over https only"),
        (["add", "y", "--repository", "https://10.0.0.1/x"], "no public address"),
        (["secret", "nobody"], "there is no project nobody"),
        (["change", "nobody", "--pause"], "there is no project nobody"),
        (["change", "demo-x"], "give what to change"),
        (["change", "demo-x", "--weight", "nan"], "nan is no number"),
        (["add", "y", "--weight", "nan"], "nan is no number"),
        (["add", "y", "--weight", "inf"], "not in the range"),
        (["change", "demo-x", "--quota", "1", "--no-quota"], "give one of them"),
        (["change", "demo-x", "--pause", "--resume"], "give one of them"),
        (["follow", "nobody"], "there is no project nobody"),
        (["tell", "demo-x"], "give one of --status"),
        (["tell", "demo-x", "--email", "x"], "no address of mail"),
        (["tell", "demo-x", "--status", "--checks", "1"], "give one of --status"),
        (["tell", "demo-x", "--checks", "1"], "it does at github"),
        (["redeliver", "nobody", "--stop"], "there is no project nobody"),
        (["redeliver", "demo-x", "--app", "1", "--stop"], "give one of them"),
        (["tell", "demo-x", "--webhook", "file:///x"], "https:// address"),
        (["tell", "demo-x", "--webhook", "https://[x"], "cannot be read"),
        (["tell", "demo-x", "--webhook", "https://me:pw@x.org/"], "a user or a password"),
        (["tell", "demo-x", "--webhook", "https://10.0.0.1/x"], "no public address"),
        (["tell", "demo-x", "--webhook", "http://10.0.0.1/x"], "is not asked: the farm asks over https only"),
        (["tell", "demo-x", "--email", "a@b.org\r\nBcc: x@y.org"], "no address of mail"),
        (["follow", "py_[ab]*"], "is no pattern of names"),
        (["remove", "nobody"], "there is no project nobody"),
        (["secret", "demo-x", "--stdin", "--drop-old"], "give one of them"),
    ],
)
def test_wrong_use_is_one_sentence(farm, capsys, monkeypatch, arguments, sentence):
    """What cannot be done is refused with exit code 2 and what to do."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    del farm
    add()
    capsys.readouterr()
    assert outcome(["project", *arguments]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_a_forges_own_secret_comes_on_stdin(farm, capsys, monkeypatch):
    """A secret that is brought is kept and not printed; a short one is refused."""
    add()
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO("a-secret-of-the-forge\n"))
    assert outcome(["project", "secret", "demo-x", "--stdin"]) == 0
    assert "a-secret" not in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert outcome(["project", "secret", "demo-x", "--stdin"]) == 2
    assert outcome(["project", "secret", "demo-x", "--drop-old"]) == 0
    with farm.read() as session:
        assert len(session.exec(select(ProjectSecret)).all()) == 1


def test_following_and_telling_are_begun_and_ended(farm, capsys, monkeypatch):
    """Releases and listeners are added and taken away, each change said, and none of them twice."""
    add()
    for arguments, said in (
        (["follow", "Demo.X"], "demo-x is followed from now on"),
        (["follow", "demo-x"], "demo-x is followed already; nothing was changed"),
        (["follow", "Pytest-*"], "pytest-* is followed from now on"),
        (["list"], "releases followed"),
        (["follow", "demo-x", "--stop"], "demo-x is not followed any more"),
        (["follow", "demo-x", "--stop"], "demo-x was not followed; nothing was changed"),
        (["tell", "demo-x", "--email", "me@example.org"], "the email is told from now on"),
        (["tell", "demo-x", "--email", "me@example.org", "--stop"], "the email is told no longer"),
        (
            ["tell", "demo-x", "--email", "me@example.org", "--stop"],
            "the email was not told; nothing was changed",
        ),
    ):
        capsys.readouterr()
        assert outcome(["project", *arguments]) == 0
        found = capsys.readouterr()
        assert said in found.out + found.err
    monkeypatch.setattr("sys.stdin", io.StringIO("token-of-the-forge\n"))
    assert outcome(["project", "tell", "demo-x", "--status"]) == 0
    with farm.read() as session:
        (listener,) = session.exec(select(Listener))
    assert "token" not in str(listener.sealed)


def test_mail_without_a_mail_server_is_refused(farm, capsys, monkeypatch):
    """Nobody is told that mail comes where none can; the sentence says what to set."""
    monkeypatch.delenv("WHEELFARM_SMTP_URL")
    add()
    capsys.readouterr()
    assert outcome(["project", "tell", "demo-x", "--email", "me@example.org"]) == 2
    assert "set WHEELFARM_SMTP_URL" in capsys.readouterr().err
    with farm.read() as session:
        assert session.exec(select(Listener)).first() is None
    assert outcome(["project", "tell", "--help"]) == 0
    assert "smtps://USER:PASSWORD@HOST" in capsys.readouterr().out


def test_a_projects_share_is_changed(farm, capsys):
    """Weight, quota and the pause are kept, shown in the list, and taken back."""
    add()
    assert outcome(["project", "change", "demo.x", "--weight", "2.5", "--quota", "3", "--pause"]) == 0
    assert "demo-x has weight 2.5 and quota 3; it is paused" in capsys.readouterr().out
    assert outcome(["project", "list"]) == 0
    assert "weight 2.5  quota 3  paused" in capsys.readouterr().out
    assert outcome(["project", "change", "demo-x", "--no-quota", "--resume"]) == 0
    assert "demo-x has weight 2.5 and no quota" in capsys.readouterr().out
    with farm.read() as session:
        project = find_project(session, "demo-x")
        noted = [
            (each.actor, each.action) for each in session.exec(select(AuditEntry).order_by(AuditEntry.id))
        ]
    assert (project.weight, project.quota, project.paused) == (2.5, None, False)
    assert [action for _, action in noted] == ["project.make", "project.change", "project.change"]
    assert {actor for actor, _ in noted} == {f"local:{getpass.getuser()}"}


def test_a_project_is_removed(farm, capsys):
    """What it had goes, and a name that nobody follows is refused."""
    add()
    assert outcome(["project", "follow", "demo-x"]) == 0
    assert outcome(["project", "remove", "Demo.X"]) == 0
    assert "demo-x is followed no longer: 0 of its runs cancelled" in capsys.readouterr().out
    with farm.read() as session:
        assert session.exec(select(ProjectSecret)).first() is None
    assert outcome(["project", "remove", "demo-x"]) == 2


GITHUB = ["add", "there", "--repository", "https://93.184.215.14/me/there.git", "--forge", "github"]


def pem():
    """A private key as GitHub makes them."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@pytest.mark.usefixtures("farm")
def test_an_app_and_comments_are_kept_sealed(capsys, monkeypatch):
    """Checks, comments and redelivery are begun with what comes on standard input, shown nowhere, and ended."""
    assert outcome(["project", *GITHUB]) == 0
    key = pem()
    for arguments, given, said in (
        (["tell", "there", "--checks", "12345"], key, "GitHub is told from now on"),
        (["tell", "there", "--comment"], "token-of-the-forge", "each pull request is told from now on"),
        (["redeliver", "there"], "token-of-the-forge", "is asked for again from now on"),
        (["redeliver", "there", "--app", "12345"], key, "is asked for again from now on"),
        (["list"], "", "redelivery"),
        (["tell", "there", "--checks", "12345", "--stop"], "", "GitHub is told no longer"),
        (["tell", "there", "--comment", "--stop"], "", "each pull request is told no longer"),
        (["redeliver", "there", "--stop"], "", "is asked for again no longer"),
        (["redeliver", "there", "--stop"], "", "nothing was changed"),
    ):
        capsys.readouterr()
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        assert outcome(["project", *arguments]) == 0
        found = capsys.readouterr()
        assert said in found.out + found.err
        assert "PRIVATE" not in found.out + found.err
        assert "token-of" not in found.out + found.err


@pytest.mark.parametrize(
    ("arguments", "given", "sentence"),
    [
        (["tell", "there", "--checks", "12345"], "no key", "private key (a PEM file)"),
        (["tell", "there", "--checks", "1 2"], "no key", "a number or a client id"),
        (["tell", "there", "--comment"], "a b", "8 to 500 characters"),
        (["redeliver", "there"], "", "8 to 500 characters"),
        (["redeliver", "there", "--app", "1"], "x", "private key (a PEM file)"),
        (["redeliver", "demo-x"], "token-of-the-forge", "is not at GitHub"),
    ],
)
def test_what_is_no_key_is_refused(farm, capsys, monkeypatch, arguments, given, sentence):
    """A key, token or forge that cannot do it is one sentence, and nothing is kept."""
    add()
    assert outcome(["project", *GITHUB]) == 0
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    assert outcome(["project", *arguments]) == 2
    assert sentence in capsys.readouterr().err
    with farm.read() as session:
        assert session.exec(select(Listener)).all() == []
