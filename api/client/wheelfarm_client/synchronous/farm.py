"""A farm as an object: every operation of its API, with pages, files and live events as iterators.

The class to use. It sends through connection and knows what each operation wants and gives; it keeps nothing of what it
was told.
"""

from datetime import datetime
from typing import Any, Dict, Iterator, List, Optional, Sequence

from wheelfarm_client import models
from wheelfarm_client.decoding import decode, decode_items
from wheelfarm_client.errors import RefusedError
from wheelfarm_client.event_parser import Event
from wheelfarm_client.paths import path_of
from wheelfarm_client.pauses import pause
from wheelfarm_client.synchronous.projects import Projects
from wheelfarm_client.synchronous.uploading import Uploading

LOOK_SECONDS = 0.5


class Farm(Projects, Uploading):
    """A farm at an address; close it, or use it as a context manager.

    Every method may raise ProblemError (the farm refuses, with a stable `code`), UnreachableError and AnswerError.
    """

    def whoami(self) -> models.Whoami:
        """Who the farm takes the caller for."""
        return decode(models.Whoami, self.request("GET", "/whoami"))

    # Runs

    def list_runs(
        self,
        *,
        project: Optional[str] = None,
        state: Optional[str] = None,
        failed: bool = False,
        limit: int = 50,
    ) -> Iterator[models.Run]:
        """The runs, newest first; `limit` is the size of a page, not the end."""
        wanted = {"project": project, "state": state, "failed": failed or None, "limit": limit}
        for item in self.pages("/runs", wanted):
            yield decode(models.Run, item)

    def start_run(
        self,
        target: str,
        *,
        upload: Optional[str] = None,
        pythons: Sequence[str] = (),
        systems: Sequence[str] = (),
        installers: Sequence[str] = (),
        constraints: Sequence[str] = (),
        cutoff: Optional[datetime] = None,
        retries: Optional[int] = None,
        priority: int = 0,
        key: Optional[str] = None,
    ) -> models.Submission:
        """Ask for a run of a target, or of an upload that is called so; the role bounds its `priority`.

        `key` makes two calls one, also from two processes; without it only the repetitions of this call are one.
        """
        body: Dict[str, Any] = {
            "target": target, "upload": upload, "pythons": list(pythons), "systems": list(systems), "retries": retries,
            "priority": priority, "installers": list(installers), "constraints": list(constraints),
            "cutoff": cutoff.isoformat() if cutoff else None,
        }  # fmt: skip
        headers = {"Idempotency-Key": key} if key else None
        return decode(models.Submission, self.request("POST", "/runs", body=body, headers=headers))

    def get_submission(self, run: str) -> models.Submission:
        """What became of the wish for a run."""
        return decode(models.Submission, self.request("GET", path_of("submissions", run)))

    def wait_for_run(self, run: str) -> models.Run:
        """The run, as soon as its source is fetched and checked.

        Raises:
            RefusedError: it cannot be used.
        """
        while True:
            wish = self.get_submission(run)
            if wish.state == "accepted":
                return self.get_run(run)
            if wish.state == "refused":
                raise RefusedError(
                    422, wish.code or "source", wish.reason or "the source was refused", {"run": run}
                )
            pause(LOOK_SECONDS)

    def get_run(self, run: str) -> models.Run:
        """One run."""
        return decode(models.Run, self.request("GET", path_of("runs", run)))

    def get_report(self, run: str, *, failing: int = 20) -> models.Report:
        """A run with its cells, as people see it; `failing` bounds the failing tests of each cell."""
        return decode(
            models.Report,
            self.request("GET", path_of("runs", run, "report"), params={"failing": failing}),
        )

    def cancel_run(self, run: str) -> models.Cancellation:
        """End a run; doing it twice changes nothing."""
        return decode(models.Cancellation, self.request("POST", path_of("runs", run, "cancel")))

    def watch_run(self, run: str, *, last_id: Optional[str] = None) -> Iterator[Event]:
        """A run while it goes on: `report`, then `run` and `cell` for what changed, at last `end`."""
        for event in self.events(path_of("runs", run, "events"), last_id):
            yield event

    def list_run_artifacts(self, run: str) -> List[models.Artifact]:
        """The files of a run."""
        return decode_items(models.Artifact, self.request("GET", path_of("runs", run, "artifacts")))

    def get_junit(self, run: str) -> Iterator[bytes]:
        """The run as JUnit XML."""
        for chunk in self.file(path_of("runs", run, "junit.xml")):
            yield chunk

    def get_run_evidence(self, run: str) -> Iterator[bytes]:
        """The evidence of the newest attempts as one subunit v2 stream."""
        for chunk in self.file(path_of("runs", run, "evidence.subunit")):
            yield chunk

    # Cells, jobs, attempts

    def list_cells(self, run: str, *, limit: int = 100) -> Iterator[models.Cell]:
        """The cells of a run, in order."""
        for item in self.pages(path_of("runs", run, "cells"), {"limit": limit}):
            yield decode(models.Cell, item)

    def get_cell(self, cell: str) -> models.Cell:
        """One cell."""
        return decode(models.Cell, self.request("GET", path_of("cells", cell)))

    def list_jobs(
        self, run: str, *, state: Optional[str] = None, verdict: Optional[str] = None, limit: int = 100
    ) -> Iterator[models.Job]:
        """The jobs of a run."""
        wanted = {"state": state, "verdict": verdict, "limit": limit}
        for item in self.pages(path_of("runs", run, "jobs"), wanted):
            yield decode(models.Job, item)

    def get_job(self, job: str) -> models.Job:
        """One job."""
        return decode(models.Job, self.request("GET", path_of("jobs", job)))

    def get_job_set(self, job: str) -> models.JobSet:
        """What a job had installed, environment by environment, and the files that its machine fetched."""
        return decode(models.JobSet, self.request("GET", path_of("jobs", job, "set")))

    def compare_jobs(self, job: str, other: str) -> models.SetComparison:
        """What differs between what two jobs had installed."""
        found = self.request("GET", path_of("jobs", job, "compare", other))
        return decode(models.SetComparison, found)

    def rerun_job(self, job: str, *, key: Optional[str] = None) -> models.Run:
        """Run a job that has ended once more; its run, which is open again."""
        headers = {"Idempotency-Key": key} if key else None
        return decode(models.Run, self.request("POST", path_of("jobs", job, "rerun"), headers=headers))

    def list_attempts(self, job: str, *, limit: int = 100) -> Iterator[models.Attempt]:
        """The tries of a job, newest first."""
        for item in self.pages(path_of("jobs", job, "attempts"), {"limit": limit}):
            yield decode(models.Attempt, item)

    def get_attempt(self, attempt: str) -> models.Attempt:
        """One try."""
        return decode(models.Attempt, self.request("GET", path_of("attempts", attempt)))

    def list_steps(self, attempt: str) -> List[models.Step]:
        """What was done in the machine."""
        return decode_items(models.Step, self.request("GET", path_of("attempts", attempt, "steps")))

    def list_tests(
        self, attempt: str, *, outcome: str = "all", search: Optional[str] = None, limit: int = 100
    ) -> Iterator[models.Test]:
        """The tests of a try: `all`, `failed`, `passed`, `skipped` or `other`."""
        wanted = {"outcome": outcome, "search": search, "limit": limit}
        for item in self.pages(path_of("attempts", attempt, "tests"), wanted):
            yield decode(models.Test, item)

    def list_artifacts(self, attempt: str) -> List[models.Artifact]:
        """The files of a try."""
        return decode_items(models.Artifact, self.request("GET", path_of("attempts", attempt, "artifacts")))

    def get_evidence(self, attempt: str) -> Iterator[bytes]:
        """The subunit v2 stream that left the machine, as it came."""
        for chunk in self.file(path_of("attempts", attempt, "evidence.subunit")):
            yield chunk

    def get_log(self, attempt: str) -> Iterator[bytes]:
        """The whole log so far, as UTF-8 that is harmless for a terminal."""
        for chunk in self.file(path_of("attempts", attempt, "log.txt")):
            yield chunk

    def get_log_piece(self, attempt: str, *, after: Optional[str] = None) -> models.LogPiece:
        """The end of the log, or what came after the cursor of the piece before."""
        found = self.request("GET", path_of("attempts", attempt, "log"), params={"after": after})
        return decode(models.LogPiece, found)

    def watch_log(self, attempt: str, *, last_id: Optional[str] = None) -> Iterator[Event]:
        """A log while it grows: `log` events with `text`, at last `end`."""
        for event in self.events(path_of("attempts", attempt, "log", "events"), last_id):
            yield event

    # The farm

    def get_queue(self, *, project: Optional[str] = None, limit: int = 100) -> models.Queue:
        """The jobs that wait, in the order in which they are likely to begin, and why each of them does."""
        found = self.request("GET", "/queue", params={"project": project, "limit": limit})
        return decode(models.Queue, found)

    def list_events(
        self,
        *,
        project: Optional[str] = None,
        state: Optional[str] = None,
        trigger: Optional[str] = None,
        limit: int = 100,
    ) -> Iterator[models.Event]:
        """What asked for a run by itself, newest first, with the run of each."""
        wanted = {"project": project, "state": state, "trigger": trigger, "limit": limit}
        for item in self.pages("/events", wanted):
            yield decode(models.Event, item)

    def list_deliveries(
        self,
        *,
        project: Optional[str] = None,
        forge: Optional[str] = None,
        ignored: bool = False,
        limit: int = 100,
    ) -> Iterator[models.Delivery]:
        """What forges told the farm, newest first; `ignored` for what nothing came of."""
        wanted = {"project": project, "forge": forge, "ignored": ignored or None, "limit": limit}
        for item in self.pages("/deliveries", wanted):
            yield decode(models.Delivery, item)

    def list_images(self, *, limit: int = 100) -> Iterator[models.Image]:
        """The systems."""
        for item in self.pages("/images", {"limit": limit}):
            yield decode(models.Image, item)

    def get_image(self, system: str) -> models.Image:
        """One system."""
        return decode(models.Image, self.request("GET", path_of("images", system)))

    def list_garbage(self, *, limit: int = 500) -> models.Garbage:
        """What nobody wants any more on the host of the server."""
        return decode(models.Garbage, self.request("GET", "/garbage", params={"limit": limit}))

    def dispose_garbage(self) -> models.Disposal:
        """Remove it for some seconds; with `left` above 0 call it again."""
        return decode(models.Disposal, self.request("POST", "/garbage/disposal"))

    # Tokens

    def list_tokens(self, *, limit: int = 100) -> Iterator[models.Token]:
        """The tokens that the caller may see."""
        for item in self.pages("/tokens", {"limit": limit}):
            yield decode(models.Token, item)

    def make_token(
        self, name: str, role: str, *, project: Optional[str] = None, days: Optional[int] = 90
    ) -> models.MadeToken:
        """A new token, with its secret, which is told once."""
        body = {"name": name, "role": role, "project": project, "days": days}
        return decode(models.MadeToken, self.request("POST", "/tokens", body=body))

    def revoke_token(self, token: str) -> models.Token:
        """End a token."""
        return decode(models.Token, self.request("DELETE", path_of("tokens", token)))

    def list_changes(self, *, actor: Optional[str] = None, limit: int = 100) -> Iterator[models.Change]:
        """The audit log, newest first."""
        for item in self.pages("/audit", {"actor": actor, "limit": limit}):
            yield decode(models.Change, item)
