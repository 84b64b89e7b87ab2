"""A forecast: when the jobs that wait are likely to begin, if nothing else comes.

Called by waiting. It plays the claim forward over the lanes, with the same turns and charges, on as many machines as
the farm has; jobs are read a few at a time. What a job takes is what it is expected to take. It never writes.
"""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select
from sqlmodel import Session, col

from farm_scheduler.shares import charge, farm_tag
from farm_scheduler.states import JOB_AT_WORK, ImageState, JobState
from farm_scheduler.tables import Image, Job, Lane, Project, Share, now

Key = tuple[float, float, float, str]
"""The place of a lane in a heap: the lowest goes first."""

JOBS_AT_ONCE = 20
SHORTEST_LEFT = 1.0
"""A job at work has at least so much left; over its expected time, as much again as it is over it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A job that is to begin in so many seconds, and to end in so many."""

    job_id: str
    seconds: float
    end: float


@dataclass(slots=True, kw_only=True)
class _Share:
    """A share as the forecast moves it on; `ends` are the ends of its jobs at work, soonest first."""

    tag: float
    weight: float
    quota: int | None
    ends: list[float] = field(default_factory=list)


def forecast(session: Session, *, machines: int) -> Iterator[Start]:
    """The jobs that may begin, in the order in which they will; read only as far as it is asked for."""
    shares = _shares(session)
    free = [0.0] * machines
    for share, left in _at_work(session):
        if share in shares:
            heapq.heappush(shares[share].ends, left)
        if free:
            heapq.heapreplace(free, left)
    lanes = [_Lane(session, row) for row in _lanes(session) if row.share in shares]
    yield from _play(free, shares, lanes, farm_tag(session))


class _Lane:
    """The waiting jobs of a lane, read in chunks when they are wanted; `head` is the first, once it is read."""

    def __init__(self, session: Session, row: Row[Any]) -> None:
        self.share: str = row.share
        self.head: Row[Any] | None = None
        self._first = (row.head_start, row.rank)
        self._jobs = _jobs(session, row.share, row.system)

    def key(self, share: _Share) -> Key:
        """Its place in a heap; of a lane that was not read yet the best that it can be."""
        if self.head is None:
            return share.tag - self._first[0], -self._first[1], -math.inf, ""
        head = self.head
        return share.tag - head.head_start, -head.rank, -head.expected_seconds, head.id

    def step(self) -> bool:
        """Read on; whether there is a further job."""
        self.head = next(self._jobs, None)
        return self.head is not None


def _play(free: list[float], shares: dict[str, _Share], lanes: list[_Lane], farm: float) -> Iterator[Start]:
    clock, heap = 0.0, [(lane.key(shares[lane.share]), place, lane) for place, lane in enumerate(lanes)]
    heapq.heapify(heap)
    while heap and free:
        clock = max(clock, heapq.heappop(free))
        lane = _next_lane(heap, shares, clock)
        if lane is None:
            if not heap:
                return
            # Every share that waits is at its quota: the soonest end is the next chance.
            clock = min(shares[each.share].ends[0] for _, _, each in heap)
            heapq.heappush(free, clock)
            continue
        share, head = shares[lane.share], lane.head
        assert head is not None, "a lane is read before it is chosen"  # noqa: S101 - an invariant
        end = clock + head.expected_seconds
        yield Start(job_id=head.id, seconds=clock, end=end)
        start, share.tag = charge(share.tag, farm, head.expected_seconds, share.weight)
        farm = max(farm, start)
        heapq.heappush(share.ends, end)
        heapq.heappush(free, end)
        if lane.step():
            heapq.heappush(heap, (lane.key(share), id(lane), lane))


def _next_lane(heap: list[tuple[Key, int, _Lane]], shares: dict[str, _Share], clock: float) -> _Lane | None:
    """Take the lane whose turn it is from the heap, whose keys may be better than they are by now."""
    aside, found = [], None
    while heap and found is None:
        key, place, lane = heapq.heappop(heap)
        share = shares[lane.share]
        if lane.head is None and not lane.step():
            continue
        exact = lane.key(share)
        if exact > key:
            heapq.heappush(heap, (exact, place, lane))
        elif _below_quota(share, clock):
            found = lane
        else:
            aside.append((key, place, lane))
    for entry in aside:
        heapq.heappush(heap, entry)
    return found


def _below_quota(share: _Share, clock: float) -> bool:
    while share.ends and share.ends[0] <= clock:
        heapq.heappop(share.ends)
    return share.quota is None or len(share.ends) < share.quota


def _shares(session: Session) -> dict[str, _Share]:
    """Those that have jobs in the queue and are not paused; a quota of nothing is a pause."""
    rows = session.execute(
        select(col(Share.key), col(Share.tag), col(Project.weight), col(Project.quota), col(Project.paused))
        .outerjoin(Project, col(Project.id) == col(Share.project_id))
        .where(col(Share.key).in_(select(col(Lane.share))))
    )
    return {
        key: _Share(tag=tag, weight=weight or 1.0, quota=quota)
        for key, tag, weight, quota, paused in rows
        if not paused and quota != 0
    }


def _lanes(session: Session) -> Sequence[Row[Any]]:
    ready = select(col(Image.name)).where(col(Image.state) == ImageState.READY)
    lane = (col(Lane.share), col(Lane.system), col(Lane.head_start), col(Lane.rank))
    return session.execute(select(*lane).where(col(Lane.system).in_(ready))).all()


def _at_work(session: Session) -> list[tuple[str, float]]:
    """Of each job at work its share, and about how many seconds it has left."""
    moment = now()
    rows = session.execute(
        select(col(Job.share), col(Job.started), col(Job.expected_seconds), col(Job.left_seconds)).where(
            col(Job.state).in_(sorted(JOB_AT_WORK))
        )
    )
    found = []
    for share, started, expected, left in rows:
        since = (moment - started).total_seconds() if started is not None else 0.0
        found.append((share, max(SHORTEST_LEFT, left or abs(expected - since))))
    return found


def _jobs(session: Session, share: str, system: str) -> Iterator[Row[Any]]:
    chosen = (
        select(col(Job.id), col(Job.head_start), col(Job.rank), col(Job.expected_seconds))
        .where(col(Job.state) == JobState.QUEUED, col(Job.share) == share, col(Job.system) == system)
        .order_by(col(Job.rank).desc(), col(Job.expected_seconds).desc(), col(Job.id).desc())
        .limit(JOBS_AT_ONCE)
    )
    place = 0
    while True:
        rows = session.execute(chosen.offset(place)).all()
        yield from rows
        if len(rows) < JOBS_AT_ONCE:
            return
        place += JOBS_AT_ONCE
