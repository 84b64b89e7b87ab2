"""`wheelfarm project … --server`: the projects of a farm elsewhere, which a real server serves."""

import io

import pytest
from sqlmodel import select

from farm_cli.main import outcome
from farm_scheduler.access_tables import AuditEntry
from farm_scheduler.tables import Project

from .serving import served


def test_a_project_there_is_paused(farm, token, database, capsys):
    """`project change --server` changes the farm elsewhere, and needs a token for it."""
    del token
    with database.write() as session:
        session.add(Project(name="six"))
    assert outcome(["project", "change", "Six", "--pause", "--quota", "1", "--server", farm]) == 0
    assert "six has weight 1 and quota 1; it is paused" in capsys.readouterr().out
    assert outcome(["project", "change", "nobody", "--pause", "--server", farm]) == 2


@pytest.mark.usefixtures("token")
def test_a_project_there_has_the_public_webhook(settings, database, capsys):
    """Behind a proxy a forge sends to the farm's public address, not to the one that the command asked."""
    del database
    public = settings.model_copy(update={"public_url": "https://farm.example.org/"})
    with served(public) as client:
        there = ["--server", str(client.base_url).rstrip("/")]
        assert (
            outcome(["project", "add", "demo", "--repository", "https://github.com/me/demo.git", *there]) == 0
        )
    assert "its webhook is https://farm.example.org/webhooks/github," in capsys.readouterr().err


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["bad name"], "'bad name' is no name of a project; write letters"),
        (["demo", "--repository", "file:///etc"], "file:///etc is of no forge; give the URL"),
        (["demo", "--repository", "ext::sh"], "over https only"),
        (["demo", "--forge", "A B"], "body/forge: it is not of the form that"),
    ],
)
def test_what_cannot_be_a_project_there_is_a_sentence(farm, capsys, arguments, sentence):
    """Wrong names and repositories are told as they are here, and none by a regular expression."""
    assert outcome(["project", "add", *arguments, "--server", farm]) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert "pattern" not in told


@pytest.mark.usefixtures("token")
def test_projects_there_are_looked_after(farm, database, capsys, monkeypatch):
    """`project` adds, shows, follows, tells and removes on the farm elsewhere as it does here."""
    url = "https://github.com/me/demo.git"
    there = ["--server", farm]
    assert outcome(["project", "add", "Demo", "--repository", url, "--quota", "3", *there]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("whsec_")
    assert f"{farm}/webhooks/github" in said.err
    assert outcome(["project", "secret", "demo", *there]) == 0
    assert capsys.readouterr().out.startswith("whsec_")
    monkeypatch.setattr("sys.stdin", io.StringIO("a-secret-of-the-forge\n"))
    assert outcome(["project", "secret", "demo", "--stdin", *there]) == 0
    assert "a-secret" not in capsys.readouterr().out
    assert outcome(["project", "tell", "demo", "--webhook", "https://chat.example.org/x", *there]) == 0
    assert capsys.readouterr().out.startswith("whsec_")
    monkeypatch.setattr("sys.stdin", io.StringIO("token-of-the-forge\n"))
    assert outcome(["project", "redeliver", "demo", *there]) == 0
    assert "is asked for again from now on" in capsys.readouterr().err
    for arguments, sentence in (
        (["redeliver", "demo", "--stop"], "is asked for again no longer"),
        (["redeliver", "demo", "--stop"], "was not asked for again; nothing was changed"),
        (["secret", "demo", "--drop-old"], "only the newest secret is valid now"),
        (["secret", "demo", "--drop-old"], "there was only one secret already"),
        (["follow", "Demo"], "demo is followed from now on"),
        (["follow", "demo"], "demo is followed already; nothing was changed"),
        (["follow", "Pytest_?*"], "pytest-?* is followed from now on"),
        (["list"], "demo  github https://github.com/me/demo.git  releases followed  quota 3"),
        (["list"], "pytest-?*  releases of every name that fits are followed"),
        (["follow", "pytest-?*", "--stop"], "pytest-?* is not followed any more"),
        (["follow", "pytest-?*", "--stop"], "pytest-?* was not followed"),
        (["follow", "demo", "--stop"], "demo is not followed any more"),
        (["tell", "demo", "--webhook", "x", "--stop"], "the webhook is told no longer"),
        (["tell", "demo", "--email", "x", "--stop"], "the email was not told; nothing was changed"),
        (["remove", "demo"], "demo is followed no longer: 0 of its runs cancelled, 0 kept, 0 tokens revoked"),
        (["list"], "no project yet"),
    ):
        capsys.readouterr()
        assert outcome(["project", *arguments, *there]) == 0, arguments
        assert sentence in capsys.readouterr().out, arguments
    for wrong in (
        ["remove", "demo"],
        ["follow", "demo"],
        ["secret", "demo"],
        ["tell", "demo", "--email", "a@b"],
    ):
        assert outcome(["project", *wrong, *there]) == 2, wrong
        assert "there is no project demo" in capsys.readouterr().err
    with database.read() as session:
        actors = {each.actor[:2] for each in session.exec(select(AuditEntry))}
    assert actors == {"lo", "t-"}
