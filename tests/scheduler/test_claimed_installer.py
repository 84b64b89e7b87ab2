"""The installer of a job on its way: from a person's choice through the record to the worker that claims the job."""

from datetime import UTC, datetime
from pathlib import Path

from farm_scheduler import runs
from farm_scheduler.database import Database
from farm_scheduler.installers import Installer
from farm_scheduler.plan import Narrowing
from farm_scheduler.settings import Settings

from .test_runs_record import Sent, add_image, claim_one, database, project, run_now, settings

__all__ = ["database", "project", "settings"]
"""Fixtures of the tests of runs."""


def test_a_claim_knows_what_decides_what_is_installed(
    database: Database, settings: Settings, project: Path
) -> None:
    """Installer, constraints and cut-off go from a person's choice through the record into the claim."""
    add_image(database)
    (project / "c.txt").write_text("six==1.17.0\n")
    wish = Narrowing(
        pythons=("3.12",),
        installers=(Installer.CONSTRAINTS,),
        constraints=("c.txt",),
        cutoff=datetime(2026, 2, 1, tzinfo=UTC),
    )
    run = runs.submit(database, Sent(), settings, str(project), wish)
    claim = claim_one(database)
    assert (claim.installer, claim.constraints, claim.cutoff) == (
        Installer.CONSTRAINTS,
        ("c.txt",),
        wish.cutoff,
    )
    assert claim.variables["TOX_OVERRIDE"] == "testenv.runner=wheelfarm"
    assert Narrowing.of(run_now(database, run).narrowing) == wish
