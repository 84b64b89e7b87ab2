"""Kinds of hosts: what settings say, and what a claim on such a host finds."""

import pytest
from pydantic import ValidationError

from farm_scheduler.claims import claim_job
from farm_scheduler.database import Database
from farm_scheduler.host_kinds import EVERY_SYSTEM, HostKinds, Served
from farm_scheduler.settings import Settings

from .queued_runs import add_images, add_run

KINDS = HostKinds(named={"debian-13": "big"})


def test_settings_name_the_kind_of_a_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """`WHEELFARM_SYSTEM_HOSTS` is a list of pairs; a system that is not in it needs x86_64."""
    monkeypatch.setenv("WHEELFARM_SYSTEM_HOSTS", "mine=big, other=arm64")
    found = Settings().host_kinds
    assert [found.kind_of(each) for each in ("mine", "other", "debian-12")] == ["big", "arm64", "x86_64"]
    assert found.count(["mine", "debian-12", "mine"]) == {"big": 2, "x86_64": 1}
    assert Settings().host_kind == "x86_64"


@pytest.mark.parametrize("value", ["mine", "mine=", "mine=a b=", "mine=UP", "mine=a:b"])
def test_a_pair_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A kind that could be no name of a queue is a setting that cannot be used."""
    monkeypatch.setenv("WHEELFARM_SYSTEM_HOSTS", value)
    with pytest.raises(ValidationError):
        Settings()


def test_a_farm_of_one_kind_serves_everything() -> None:
    """Where nothing is named, a host serves every system, also one that was taken from the settings."""
    assert HostKinds(named={}).served_by("x86_64") == EVERY_SYSTEM
    assert EVERY_SYSTEM.has("anything")
    assert KINDS.served_by("x86_64") == Served(names=("debian-13",), others=True)
    assert KINDS.served_by("big") == Served(names=("debian-13",), others=False)
    assert not KINDS.served_by("big").has("debian-12")


def test_a_claim_takes_what_its_host_serves(record: Database) -> None:
    """The job whose turn it is among the host's own systems, in their order; of others none."""
    with record.write() as session:
        add_images(session, "debian-12", "debian-13")
        jobs = add_run(session, "six", [10.0, 90.0, 50.0, 40.0], systems=("debian-12", "debian-13"))

    def claim(kind: str) -> str | None:
        found = claim_job(record, worker="h:1", lease_seconds=60, served=KINDS.served_by(kind))
        return found.job_id if found else None

    assert claim("arm64") is None
    assert [claim("x86_64"), claim("x86_64"), claim("x86_64")] == [jobs[2].id, jobs[0].id, None]
    assert [claim("big"), claim("big"), claim("big")] == [jobs[1].id, jobs[3].id, None]
