"""Runs one job: leases a machine, sends it the job and its source, reads its stream, records the verdict.

Called by the ticket task with a claim. It never runs anything of a project on this host, never trusts what comes
out of the machine, and leaves no machine behind: the lease ends with the block that holds it.
"""

import logging
import select
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from sqlalchemy.exc import OperationalError

from farm_images.catalogue import Image, read_image
from farm_images.errors import FarmError, ImageError
from farm_images.wire import FrameType, JobFrame, LimitsFrame, SourceFrame, data_frames, encode_frame
from farm_scheduler.claims import Claim, Standing, finish, give_up, move
from farm_scheduler.database import Database
from farm_scheduler.errors import RecordError
from farm_scheduler.evidence import Evidence
from farm_scheduler.ingest import Ingest
from farm_scheduler.installed_sets import read_fetched, store_sets
from farm_scheduler.judgement import Judgement, judge
from farm_scheduler.patience import patiently
from farm_scheduler.results import Results
from farm_scheduler.set_tables import FetchedFile
from farm_scheduler.settings import Settings
from farm_scheduler.sources import source_path
from farm_scheduler.states import ImageState, JobState
from farm_scheduler.tables import Image as ImageRow
from farm_scheduler.tables import now
from farm_scheduler.told_sets import ToldSet
from farm_scheduler.verdicts import Verdict
from farm_workers.constraint_texts import ConstraintsError
from farm_workers.heartbeat import Heartbeat
from farm_workers.index_policy import set_cutoff
from farm_workers.installer_frames import installer_frame
from farm_workers.leases import Lease, LeaseError
from farm_workers.machines import Machines
from farm_workers.stream_reader import StreamReader

GRACE_SECONDS = 60.0
"""Beyond the job's own limit, before the host ends a machine that stays silent about it."""

FLUSH_SECONDS = 0.5
TURN_SECONDS = 0.25
SOURCE_CHUNK = 256 << 10

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What a worker works with; made once per process."""

    settings: Settings
    database: Database
    machines: Machines


def run_claim(hands: Hands, claim: Claim) -> bool:
    """Run a claimed job to an end of its attempt; returns whether the job waits for another try.

    Every error on the way is the farm's own: the attempt ends with farm-error.
    """
    with Heartbeat(hands.database, claim, hands.settings.lease_seconds) as heartbeat:
        runner = _Runner(hands, claim, heartbeat)
        try:
            judgement = runner.run()
        except ConstraintsError as error:
            judgement = Judgement(verdict=Verdict.INSTALL_FAILED, reason=error.sentence)
        except FarmError as error:
            judgement = Judgement(verdict=Verdict.FARM_ERROR, reason=error.sentence)
        except Exception as error:
            LOG.exception("attempt %s of %s failed", claim.attempt_id, claim.job_id)
            reason = f"the farm failed unexpectedly ({type(error).__name__}: {error}); see its log"
            judgement = Judgement(verdict=Verdict.FARM_ERROR, reason=reason)
        if heartbeat.standing is not Standing.CANCELLED:
            return patiently(partial(finish, hands.database, claim, judgement, seconds=runner.seconds))
    patiently(partial(give_up, hands.database, claim))
    return False


class _Runner:
    """One attempt on its way."""

    def __init__(self, hands: Hands, claim: Claim, heartbeat: Heartbeat) -> None:
        self._hands = hands
        self._claim = claim
        self._heartbeat = heartbeat
        self._results = Results(claim.environments)
        self._ingest = Ingest(hands.database, self._results, attempt_id=claim.attempt_id, job_id=claim.job_id)
        self._began = self._flushed = time.monotonic()
        self._limit: str | None = None
        self.seconds: dict[str, float] = {}

    def run(self) -> Judgement:
        """The verdict of the attempt.

        Raises:
            FarmError: no machine, no source, no image; the machine was taken back.
        """
        image = patiently(partial(ready_image, self._hands, self._claim.system))
        source = source_path(self._hands.settings, self._claim.source_sha256)
        if not source.is_file():
            raise RecordError(f"the source {source.name} is gone from {source.parent}; submit the run again")
        self._move(JobState.BOOTING, image_digest=image.digest)
        frames = self._frames(source)
        with self._hands.machines(image, self._say) as lease:
            self._note(lease)
            set_cutoff(self._hands.settings.index_socket, lease.machine_id, self._claim.cutoff)
            stream = self._hands.settings.streams / f"{self._claim.attempt_id}.subunit"
            stream.parent.mkdir(parents=True, exist_ok=True)
            with StreamReader(lease.channel, stream, self._hands.settings.stream_bytes) as reader:
                self._converse(lease, reader, frames)
                self._finish(reader)
            evidence = self._results.evidence(self._limit)
            self._keep_sets(evidence, lease)
            judgement = judge(evidence)
            if judgement.verdict is not Verdict.PASSED:
                lease.check()
        return judgement

    def _say(self, sentence: str) -> None:
        if self._heartbeat.standing is not Standing.WANTED:
            raise LeaseError("the job is not wanted any more; the machine in the making goes")
        self._results.now = sentence
        self._flush(0)

    def _note(self, lease: Lease) -> None:
        self.seconds["lease"] = time.monotonic() - self._began
        self.seconds["answered"] = lease.answered_seconds
        self._move(
            JobState.RUNNING,
            machine=lease.machine_id,
            accelerator=lease.accelerator,
            warm=lease.warm,
            answered=now(),
            stream_path=f"streams/{self._claim.attempt_id}.subunit",
        )

    def _move(self, state: JobState, **facts: object) -> None:
        patiently(partial(move, self._hands.database, self._claim, state, **facts))

    def _limit_seconds(self) -> float:
        """The time limit of the job: what the project declares, and never more than the farm allows."""
        declared = self._claim.limit_seconds
        most = self._hands.settings.job_seconds
        return most if declared is None else min(declared, most)

    def _frames(self, source: Path) -> Iterator[bytes]:
        """The job and its source; what the job needs is fetched now, its source read piece by piece.

        Raises:
            ConstraintsError: constraints that it names cannot be used.
            IndexUnavailableError: they cannot be had now.
        """
        claim, settings = self._claim, self._hands.settings
        job = JobFrame(
            job=claim.attempt_id,
            tool="tox3" if claim.tool == "tox3" else "tox",
            environments=claim.environments,
            inferred=claim.inferred,
            source=SourceFrame(bytes=source.stat().st_size, sha256=claim.source_sha256),
            limits=LimitsFrame(seconds=self._limit_seconds(), log_bytes=settings.log_bytes),
            env=dict(claim.variables),
            packages=claim.packages,
            installer=installer_frame(claim, settings),
        )
        return chain([encode_frame(FrameType.JOB, job.payload())], data_frames(chunks(source)))

    def _converse(self, lease: Lease, reader: StreamReader, frames: Iterator[bytes]) -> None:
        """Send and read at once, until the guest's last word or a reason to stop listening."""
        channel = lease.channel
        channel.setblocking(False)
        started = time.monotonic()
        pending = memoryview(next(frames, b""))
        while self._goes_on(reader, started):
            readable, writable, _ = select.select([channel], [channel] if pending else [], [], TURN_SECONDS)
            if writable:
                pending = _send(channel, pending) or memoryview(next(frames, b""))
            if readable:
                self._results.feed(reader.read())
            if time.monotonic() - self._flushed > FLUSH_SECONDS:
                self._flush(reader.bytes)
        self.seconds["machine"] = time.monotonic() - started

    def _goes_on(self, reader: StreamReader, started: float) -> bool:
        if self._results.end is not None or reader.ended or self._results.too_many:
            return False
        if reader.full:
            self._limit = "stream"
        elif time.monotonic() - started > self._limit_seconds() + GRACE_SECONDS:
            self._limit = "time"
        return self._limit is None and self._heartbeat.standing is Standing.WANTED

    def _keep_sets(self, evidence: Evidence, lease: Lease) -> None:
        """Record what was installed, as far as the guest told, and what its machine fetched."""
        told = evidence.report.sets if evidence.report is not None else {}
        asked = {name: each for name, each in told.items() if name in self._claim.environments}
        record = self._hands.settings.home / "index" / "downloads" / f"{lease.machine_id}.jsonl"
        fetched = read_fetched(record, self._claim.attempt_id)
        if self._heartbeat.standing is not Standing.LOST and (asked or fetched):
            patiently(partial(self._store_sets, asked, fetched))

    def _store_sets(self, told: Mapping[str, ToldSet], fetched: list[FetchedFile]) -> None:
        with self._hands.database.write() as session:
            store_sets(session, self._claim.attempt_id, told, fetched)

    def _finish(self, reader: StreamReader) -> None:
        self._results.close()
        if self._results.end is not None:
            self.seconds.update({f"guest {name}": value for name, value in self._results.end.seconds.items()})
        if reader.garbled_bytes:
            LOG.warning("%s: %d garbled bytes", self._claim.attempt_id, reader.garbled_bytes)
        if self._heartbeat.standing is Standing.WANTED:
            self._move(JobState.FINISHING)
        if self._heartbeat.standing is not Standing.LOST:
            patiently(partial(self._write, reader.bytes))

    def _flush(self, stream_bytes: int) -> None:
        if self._heartbeat.standing is Standing.LOST:
            return
        self._flushed = time.monotonic()
        try:
            self._write(stream_bytes)
        except OperationalError as error:
            LOG.warning("the record does not answer for %s: %s", self._claim.attempt_id, error.orig)

    def _write(self, stream_bytes: int) -> None:
        left = self._claim.expected_seconds - (time.monotonic() - self._began)
        self._ingest.flush(stream_bytes=stream_bytes, left_seconds=max(0.0, left))


def ready_image(hands: Hands, system: str) -> Image:
    """The image of a system that the record calls ready.

    Raises:
        RecordError: there is none.
        ImageError: its files are not there.
    """
    with hands.database.read() as session:
        row = session.get(ImageRow, system)
    if row is None or row.digest is None:
        raise RecordError(f"there is no image for {system}; the farm bakes it and tries again")
    try:
        return read_image(hands.settings.images / system / row.digest)
    except ImageError:
        # The files are gone: the sweep has the image baked again, and jobs wait for that.
        with hands.database.write() as session:
            session.merge(row).state = ImageState.MISSING
        raise


def _send(channel: socket.socket, pending: memoryview) -> memoryview:
    """Send what the channel takes; what is left. A closed channel takes everything: the reader sees its end."""
    try:
        return pending[channel.send(pending) :]
    except BlockingIOError:
        return pending
    except OSError:
        return pending[:0]


def chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, piece by piece."""
    with path.open("rb") as stream:
        while chunk := stream.read(SOURCE_CHUNK):
            yield chunk
