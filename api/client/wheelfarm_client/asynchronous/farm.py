"""A farm as an object: every operation of its API, with pages, files and live events as iterators.

The class to use. It sends through connection and knows what each operation wants and gives; it keeps nothing of what it
was told.
"""

from datetime import datetime
from typing import Any, AsyncIterator, Dict, List, Optional, Sequence

from wheelfarm_client import models
from wheelfarm_client.asynchronous.projects import AsyncProjects
from wheelfarm_client.asynchronous.uploading import AsyncUploading
from wheelfarm_client.decoding import decode, decode_items
from wheelfarm_client.errors import RefusedError
from wheelfarm_client.event_parser import Event
from wheelfarm_client.paths import path_of
from wheelfarm_client.pauses import pause_async

LOOK_SECONDS = 0.5


class AsyncFarm(AsyncProjects, AsyncUploading):
    """A farm at an address; close it, or use it as a context manager.

    Every method may raise ProblemError (the farm refuses, with a stable `code`), UnreachableError and AnswerError.
    """

    async def whoami(self) -> models.Whoami:
        """Who the farm takes the caller for."""
        return decode(models.Whoami, await self.request("GET", "/whoami"))

    # Runs

    async def list_runs(
        self,
        *,
        project: Optional[str] = None,
        state: Optional[str] = None,
        failed: bool = False,
        limit: int = 50,
    ) -> AsyncIterator[models.Run]:
        """The runs, newest first; `limit` is the size of a page, not the end."""
        wanted = {"project": project, "state": state, "failed": failed or None, "limit": limit}
        async for item in self.pages("/runs", wanted):
            yield decode(models.Run, item)

    async def start_run(
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
        return decode(models.Submission, await self.request("POST", "/runs", body=body, headers=headers))

    async def get_submission(self, run: str) -> models.Submission:
        """What became of the wish for a run."""
        return decode(models.Submission, await self.request("GET", path_of("submissions", run)))

    async def wait_for_run(self, run: str) -> models.Run:
        """The run, as soon as its source is fetched and checked.

        Raises:
            RefusedError: it cannot be used.
        """
        while True:
            wish = await self.get_submission(run)
            if wish.state == "accepted":
                return await self.get_run(run)
            if wish.state == "refused":
                raise RefusedError(
                    422, wish.code or "source", wish.reason or "the source was refused", {"run": run}
                )
            await pause_async(LOOK_SECONDS)

    async def get_run(self, run: str) -> models.Run:
        """One run."""
        return decode(models.Run, await self.request("GET", path_of("runs", run)))

    async def get_report(self, run: str, *, failing: int = 20) -> models.Report:
        """A run with its cells, as people see it; `failing` bounds the failing tests of each cell."""
        return decode(
            models.Report,
            await self.request("GET", path_of("runs", run, "report"), params={"failing": failing}),
        )

    async def cancel_run(self, run: str) -> models.Cancellation:
        """End a run; doing it twice changes nothing."""
        return decode(models.Cancellation, await self.request("POST", path_of("runs", run, "cancel")))

    async def watch_run(self, run: str, *, last_id: Optional[str] = None) -> AsyncIterator[Event]:
        """A run while it goes on: `report`, then `run` and `cell` for what changed, at last `end`."""
        async for event in self.events(path_of("runs", run, "events"), last_id):
            yield event

    async def list_run_artifacts(self, run: str) -> List[models.Artifact]:
        """The files of a run."""
        return decode_items(models.Artifact, await self.request("GET", path_of("runs", run, "artifacts")))

    async def get_junit(self, run: str) -> AsyncIterator[bytes]:
        """The run as JUnit XML."""
        async for chunk in self.file(path_of("runs", run, "junit.xml")):
            yield chunk

    async def get_run_evidence(self, run: str) -> AsyncIterator[bytes]:
        """The evidence of the newest attempts as one subunit v2 stream."""
        async for chunk in self.file(path_of("runs", run, "evidence.subunit")):
            yield chunk

    # Cells, jobs, attempts

    async def list_cells(self, run: str, *, limit: int = 100) -> AsyncIterator[models.Cell]:
        """The cells of a run, in order."""
        async for item in self.pages(path_of("runs", run, "cells"), {"limit": limit}):
            yield decode(models.Cell, item)

    async def get_cell(self, cell: str) -> models.Cell:
        """One cell."""
        return decode(models.Cell, await self.request("GET", path_of("cells", cell)))

    async def list_jobs(
        self, run: str, *, state: Optional[str] = None, verdict: Optional[str] = None, limit: int = 100
    ) -> AsyncIterator[models.Job]:
        """The jobs of a run."""
        wanted = {"state": state, "verdict": verdict, "limit": limit}
        async for item in self.pages(path_of("runs", run, "jobs"), wanted):
            yield decode(models.Job, item)

    async def get_job(self, job: str) -> models.Job:
        """One job."""
        return decode(models.Job, await self.request("GET", path_of("jobs", job)))

    async def get_job_set(self, job: str) -> models.JobSet:
        """What a job had installed, environment by environment, and the files that its machine fetched."""
        return decode(models.JobSet, await self.request("GET", path_of("jobs", job, "set")))

    async def compare_jobs(self, job: str, other: str) -> models.SetComparison:
        """What differs between what two jobs had installed."""
        found = await self.request("GET", path_of("jobs", job, "compare", other))
        return decode(models.SetComparison, found)

    async def rerun_job(self, job: str, *, key: Optional[str] = None) -> models.Run:
        """Run a job that has ended once more; its run, which is open again."""
        headers = {"Idempotency-Key": key} if key else None
        return decode(models.Run, await self.request("POST", path_of("jobs", job, "rerun"), headers=headers))

    async def list_attempts(self, job: str, *, limit: int = 100) -> AsyncIterator[models.Attempt]:
        """The tries of a job, newest first."""
        async for item in self.pages(path_of("jobs", job, "attempts"), {"limit": limit}):
            yield decode(models.Attempt, item)

    async def get_attempt(self, attempt: str) -> models.Attempt:
        """One try."""
        return decode(models.Attempt, await self.request("GET", path_of("attempts", attempt)))

    async def list_steps(self, attempt: str) -> List[models.Step]:
        """What was done in the machine."""
        return decode_items(models.Step, await self.request("GET", path_of("attempts", attempt, "steps")))

    async def list_tests(
        self, attempt: str, *, outcome: str = "all", search: Optional[str] = None, limit: int = 100
    ) -> AsyncIterator[models.Test]:
        """The tests of a try: `all`, `failed`, `passed`, `skipped` or `other`."""
        wanted = {"outcome": outcome, "search": search, "limit": limit}
        async for item in self.pages(path_of("attempts", attempt, "tests"), wanted):
            yield decode(models.Test, item)

    async def list_artifacts(self, attempt: str) -> List[models.Artifact]:
        """The files of a try."""
        return decode_items(
            models.Artifact, await self.request("GET", path_of("attempts", attempt, "artifacts"))
        )

    async def get_evidence(self, attempt: str) -> AsyncIterator[bytes]:
        """The subunit v2 stream that left the machine, as it came."""
        async for chunk in self.file(path_of("attempts", attempt, "evidence.subunit")):
            yield chunk

    async def get_log(self, attempt: str) -> AsyncIterator[bytes]:
        """The whole log so far, as UTF-8 that is harmless for a terminal."""
        async for chunk in self.file(path_of("attempts", attempt, "log.txt")):
            yield chunk

    async def get_log_piece(self, attempt: str, *, after: Optional[str] = None) -> models.LogPiece:
        """The end of the log, or what came after the cursor of the piece before."""
        found = await self.request("GET", path_of("attempts", attempt, "log"), params={"after": after})
        return decode(models.LogPiece, found)

    async def watch_log(self, attempt: str, *, last_id: Optional[str] = None) -> AsyncIterator[Event]:
        """A log while it grows: `log` events with `text`, at last `end`."""
        async for event in self.events(path_of("attempts", attempt, "log", "events"), last_id):
            yield event

    # The farm

    async def get_queue(self, *, project: Optional[str] = None, limit: int = 100) -> models.Queue:
        """The jobs that wait, in the order in which they are likely to begin, and why each of them does."""
        found = await self.request("GET", "/queue", params={"project": project, "limit": limit})
        return decode(models.Queue, found)

    async def list_events(
        self,
        *,
        project: Optional[str] = None,
        state: Optional[str] = None,
        trigger: Optional[str] = None,
        limit: int = 100,
    ) -> AsyncIterator[models.Event]:
        """What asked for a run by itself, newest first, with the run of each."""
        wanted = {"project": project, "state": state, "trigger": trigger, "limit": limit}
        async for item in self.pages("/events", wanted):
            yield decode(models.Event, item)

    async def list_deliveries(
        self,
        *,
        project: Optional[str] = None,
        forge: Optional[str] = None,
        ignored: bool = False,
        limit: int = 100,
    ) -> AsyncIterator[models.Delivery]:
        """What forges told the farm, newest first; `ignored` for what nothing came of."""
        wanted = {"project": project, "forge": forge, "ignored": ignored or None, "limit": limit}
        async for item in self.pages("/deliveries", wanted):
            yield decode(models.Delivery, item)

    async def list_images(self, *, limit: int = 100) -> AsyncIterator[models.Image]:
        """The systems."""
        async for item in self.pages("/images", {"limit": limit}):
            yield decode(models.Image, item)

    async def get_image(self, system: str) -> models.Image:
        """One system."""
        return decode(models.Image, await self.request("GET", path_of("images", system)))

    async def list_garbage(self, *, limit: int = 500) -> models.Garbage:
        """What nobody wants any more on the host of the server."""
        return decode(models.Garbage, await self.request("GET", "/garbage", params={"limit": limit}))

    async def dispose_garbage(self) -> models.Disposal:
        """Remove it for some seconds; with `left` above 0 call it again."""
        return decode(models.Disposal, await self.request("POST", "/garbage/disposal"))

    # Tokens

    async def list_tokens(self, *, limit: int = 100) -> AsyncIterator[models.Token]:
        """The tokens that the caller may see."""
        async for item in self.pages("/tokens", {"limit": limit}):
            yield decode(models.Token, item)

    async def make_token(
        self, name: str, role: str, *, project: Optional[str] = None, days: Optional[int] = 90
    ) -> models.MadeToken:
        """A new token, with its secret, which is told once."""
        body = {"name": name, "role": role, "project": project, "days": days}
        return decode(models.MadeToken, await self.request("POST", "/tokens", body=body))

    async def revoke_token(self, token: str) -> models.Token:
        """End a token."""
        return decode(models.Token, await self.request("DELETE", path_of("tokens", token)))

    async def list_changes(
        self, *, actor: Optional[str] = None, limit: int = 100
    ) -> AsyncIterator[models.Change]:
        """The audit log, newest first."""
        async for item in self.pages("/audit", {"actor": actor, "limit": limit}):
            yield decode(models.Change, item)
