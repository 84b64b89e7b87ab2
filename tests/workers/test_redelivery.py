"""Redelivery: what GitHub could not deliver is asked for again, a few times, and never twice at once."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from farm_scheduler.deliveries import Incoming, record_delivery
from farm_scheduler.errors import InputError
from farm_scheduler.event_tables import Delivery, Event
from farm_scheduler.redelivery import MOST_AT_A_LOOK, MOST_TRIES, start_looking
from farm_scheduler.redelivery_tables import Redelivery, Relook
from farm_scheduler.secret_box import secret_box
from farm_scheduler.tables import Project, now
from farm_workers.feedback.redelivery import look_back

from .github_server import APP, TOKEN, GitHub
from .told_farm import Farm


@pytest.fixture
def farm(github_farm: Farm) -> Farm:
    """A farm that looks through the deliveries of its project's own hook."""
    begin(github_farm, TOKEN)
    return github_farm


def begin(farm: Farm, secret: str, app: str | None = None, project: str = "p-1") -> None:
    """Look through a project's deliveries from now on."""
    with farm.database.write() as session:
        start_looking(session, secret_box(farm.settings), session.get_one(Project, project), secret, app)


def look(farm: Farm, *, hours: float = 0) -> None:
    """One look, as if so much time had passed since the last."""
    with farm.database.write() as session:
        for relook in session.exec(select(Relook)):
            relook.next_look = now()
        for row in session.exec(select(Redelivery)):
            row.asked -= timedelta(hours=hours)
    look_back(farm.database, farm.settings)


def note(farm: Farm) -> str | None:
    """What is said of the last look."""
    with farm.database.read() as session:
        return session.exec(select(Relook)).one().note


def test_what_failed_is_asked_for_again(farm: Farm, github: GitHub) -> None:
    """Deliveries without an answer or with a server's error are asked for, refused and old ones are not."""
    wanted = {github.fail("g-1"), github.fail("g-2", status=502)}
    github.fail("refused", status=403)
    github.fail("arrived", status=202)
    github.fail("old", minutes=4 * 24 * 60)
    look(farm)
    assert set(github.redelivered) == wanted
    look(farm)
    assert len(github.redelivered) == 2
    assert note(farm) is None


def test_what_is_here_is_not_asked_for(farm: Farm, github: GitHub) -> None:
    """A delivery that the farm recorded though its answer was lost, and one whose later attempt arrived, stay."""
    github.fail("here")
    record_delivery(
        farm.database, Incoming(forge="github", delivery_id="here", project_id="p-1", kind="push")
    )
    github.fail("later", minutes=20)
    github.fail("later", minutes=10, status=200)
    look(farm)
    assert github.redelivered == []


def test_it_is_asked_for_a_few_times_at_most(farm: Farm, github: GitHub) -> None:
    """What fails again and again is asked for after longer and longer, and then no more."""
    github.fail("g-1")
    for _ in range(MOST_TRIES + 3):
        look(farm, hours=5)
    assert len(github.redelivered) == MOST_TRIES


def arrived(farm: Farm, delivery: str, at: datetime) -> None:
    """A push that the farm was told of at this moment of its own clock."""
    with farm.database.write() as session:
        session.add(Delivery(forge="github", delivery_id=delivery, project_id="p-1", kind="push"))
        session.flush()
        session.add(
            Event(project_id="p-1", forge="github", delivery_id=delivery, trigger="push", target="t", told=at)
        )


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=3), timedelta(hours=-3)])
def test_it_counts_as_told_before_what_was_delivered_next(
    farm: Farm, github: GitHub, ahead: timedelta
) -> None:
    """GitHub's list says between which two a delivery was, by its first attempt; no clock is compared with another."""
    for minutes, delivery in ((50, "before"), (20, "after")):
        github.fail(delivery, minutes=minutes, status=202)
        arrived(farm, delivery, now() + ahead - timedelta(minutes=minutes))
    for minutes in (40, 10, 15):
        github.fail("g-1", minutes=minutes)
    github.fail("g-2", minutes=5)
    github.fail("g-3", minutes=4)
    look(farm)
    with farm.database.read() as session:
        told = dict(session.exec(select(Event.delivery_id, Event.told)).all())
        first = session.get_one(Redelivery, "g-1").delivered
        second = session.get_one(Redelivery, "g-2").delivered
        third = session.get_one(Redelivery, "g-3").delivered
    assert first is not None
    assert second is not None
    assert third is not None
    assert told["before"] < first < told["after"] < second < third


def test_pages_are_read_and_a_look_is_bounded(farm: Farm, github: GitHub) -> None:
    """Failures on later pages are found; of very many, some are asked for now and the others at the next look."""
    github.page = 10
    for number in range(30):
        github.fail(f"g-{number}", minutes=30)
    look(farm)
    assert len(github.redelivered) == MOST_AT_A_LOOK
    look(farm)
    assert len(set(github.redelivered)) == len(github.redelivered) == 30


def test_an_apps_deliveries_are_asked_for_once(github_farm: Farm, github: GitHub) -> None:
    """Two projects of one App see the same failure, and it is asked for once, with the App's proof."""
    farm = github_farm
    with farm.database.write() as session:
        url = f"http://{farm.host}/me/other.git"
        session.add(Project(id="p-2", name="other", forge="github", repository=url))
    for project in ("p-1", "p-2"):
        begin(farm, github.key, APP, project)
    number = github.fail("g-1")
    look(farm)
    assert github.redelivered == [number]
    assert all(path.startswith("/api/v3/app/hook/") for _, path in github.asked)


def test_an_answer_that_is_lost_is_no_second_request(farm: Farm, github: GitHub) -> None:
    """When GitHub agreed and the answer was lost, the request counts, and is told with the look."""
    github.fail("g-1")
    github.deaf = lambda method, _path: method == "POST"
    look(farm)
    assert "was not told" in str(note(farm))
    look(farm)
    assert len(github.redelivered) == 1


def test_a_repository_without_the_hook_says_so(farm: Farm, github: GitHub) -> None:
    """Where no webhook leads to the farm the note says what to do, and nothing is asked for."""
    github.hook_url = "https://elsewhere.example/webhooks/github"
    github.fail("g-1")
    look(farm)
    assert "no webhook to https://farm.example/webhooks/github" in str(note(farm))
    assert github.redelivered == []


def test_other_forges_tell_of_no_failures(github_farm: Farm) -> None:
    """A project elsewhere is refused with the reason."""
    github_farm.change_forge("gitea")
    with pytest.raises(InputError, match="is not at GitHub"):
        begin(github_farm, TOKEN)
