"""The check run of a run at GitHub: made once, then changed; its annotations are failing tests.

Called by sending. GitHub takes 50 annotations in a request and adds those of the next one, so what is there already is
asked for and not sent again. A check run whose making was never answered is found by the run's id. It never touches
the check runs of others.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from farm_scheduler.errors import FeedbackError
from farm_scheduler.failures import Failure
from farm_scheduler.feedback import Telling
from farm_scheduler.settings import Settings
from farm_workers.feedback.exchange import ask, outgoing
from farm_workers.feedback.github_app import InstallationTokens
from farm_workers.feedback.markdown import block, code
from farm_workers.feedback.requests import (
    NAME,
    forge_place,
    github_api,
    github_headers,
    github_repository,
)

AT_ONCE = 50
"""Annotations that GitHub takes in one request."""

MOST_PAGES = 5
LONGEST_TITLE = 200
LONGEST_MESSAGE = 10_000
LONGEST_SUMMARY = 50_000
CONCLUSIONS = {"success": "success", "cancelled": "cancelled"}
"""Whatever else becomes of a run is no success, so `failure`; the title says whose."""

Annotation = Mapping[str, Any]


def tell_check(
    telling: Telling,
    key: str,
    settings: Settings,
    tokens: InstallationTokens,
    remember: Callable[[str | None], None],
) -> None:
    """Bring the check run of a run to what is to be told.

    `key` is the App's private key; `remember` is given GitHub's id of the check run as soon as it is known, and None
    when it is gone.

    Raises:
        FeedbackError: GitHub did not take it.
        FarmError: its address may not be asked.
    """
    if telling.repository is None or telling.revision is None or telling.forge != "github":
        raise FeedbackError("checks need a repository at GitHub; tell it by --status instead")
    api, repository = github_api(forge_place(telling)[0]), github_repository(telling)
    token = tokens.token(settings, telling.place or "", key, api, repository)
    try:
        _Check(telling, settings, token, repository, remember).tell()
    except FeedbackError as error:
        if error.data.get("status") == 401:
            tokens.forget(token)
        raise


class _Check:
    """The requests about one check run."""

    def __init__(
        self,
        telling: Telling,
        settings: Settings,
        token: str,
        repository: str,
        remember: Callable[[str | None], None],
    ) -> None:
        self._telling, self._settings = telling, settings
        self._headers = github_headers(token)
        self._repository, self._remember = repository, remember

    def tell(self) -> None:
        """Find or make the check run, then bring it to the state of the run."""
        found = self._telling.remote_id or self._find()
        annotations = annotations_of(self._telling.failures)
        if found is None:
            first, rest = annotations[:AT_ONCE], annotations[AT_ONCE:]
            document = self._document(first) | {"head_sha": self._telling.revision}
            found = self._number(self._ask("POST", "check-runs", document))
            self._remember(found)
        else:
            self._remember(found)
            there = self._there(found) if annotations else []
            rest = [each for each in annotations if _place(each) not in there]
            first, rest = rest[:AT_ONCE], rest[AT_ONCE:]
            self._ask("PATCH", f"check-runs/{found}", self._document(first))
        while rest:
            first, rest = rest[:AT_ONCE], rest[AT_ONCE:]
            self._ask("PATCH", f"check-runs/{found}", self._document(first))

    def _find(self) -> str | None:
        """The check run of this run whose making was never answered."""
        query = f"check_name={NAME}&filter=all&per_page=100"
        found = self._ask("GET", f"commits/{self._telling.revision}/check-runs?{query}")
        for each in found.get("check_runs") or []:
            if isinstance(each, dict) and each.get("external_id") == self._telling.summary.run_id:
                app = each.get("app") or {}
                if self._telling.place in {str(app.get("id")), app.get("client_id")}:
                    return self._number(each)
        return None

    def _there(self, found: str) -> list[tuple[Any, ...]]:
        """The annotations that GitHub has already."""
        there: list[tuple[Any, ...]] = []
        for page in range(1, MOST_PAGES + 1):
            path = f"check-runs/{found}/annotations?per_page={AT_ONCE}&page={page}"
            request = outgoing(f"{self._repository}/{path}", self._headers, method="GET")
            rows = ask(request, self._settings).document or []
            there += [_place(each) for each in rows if isinstance(each, dict)]
            if len(rows) < AT_ONCE:
                break
        return there

    def _document(self, annotations: Sequence[Annotation]) -> dict[str, Any]:
        summary = self._telling.summary
        output = {"title": _title(self._telling), "summary": _summary(self._telling)}
        document: dict[str, Any] = {
            "name": NAME,
            "external_id": summary.run_id,
            "details_url": summary.url,
            "status": "queued" if summary.outcome == "pending" else "completed",
            "output": output | ({"annotations": list(annotations)} if annotations else {}),
        }
        if summary.outcome != "pending":
            document["conclusion"] = CONCLUSIONS.get(summary.outcome, "failure")
        return document

    def _ask(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        request = outgoing(f"{self._repository}/{path}", self._headers, document, method)
        try:
            found = ask(request, self._settings).document
        except FeedbackError as error:
            if method == "PATCH" and error.data.get("status") == 404:
                self._remember(None)  # somebody removed it: the next try makes another
            raise
        return found if isinstance(found, dict) else {}

    @staticmethod
    def _number(found: Mapping[str, Any]) -> str:
        if not isinstance(found.get("id"), int):
            raise FeedbackError("GitHub named no check run; it is tried again")
        return str(found["id"])


def annotations_of(failures: Sequence[Failure]) -> list[Annotation]:
    """The annotations of what failed at a known line; the same line of several cells is told of once."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for failure in failures:
        if failure.place is None:
            continue
        annotation = {
            "path": failure.place.path,
            "start_line": failure.place.line,
            "end_line": failure.place.line,
            "annotation_level": "failure",
            "title": failure.name[:LONGEST_TITLE],
            "message": f"{failure.cell}\n{failure.message}"[:LONGEST_MESSAGE],
        }
        found.setdefault(_place(annotation), annotation)
    return list(found.values())


def _place(annotation: Annotation) -> tuple[Any, ...]:
    return tuple(annotation.get(name) for name in ("path", "start_line", "title"))


def _title(telling: Telling) -> str:
    whose = "the farm's own fault: " if telling.summary.outcome == "error" else ""
    return (whose + telling.summary.text)[:LONGEST_TITLE]


def _summary(telling: Telling) -> str:
    """Markdown: the counts, and what failed at no known line."""
    text = f"{code(telling.summary.text, LONGEST_TITLE)}\n"
    homeless = [each for each in telling.failures if each.place is None]
    return text + "".join(_lines(homeless, LONGEST_SUMMARY - len(text)))


def _lines(failures: Sequence[Failure], room: int) -> Iterator[str]:
    for failure in failures:
        piece = f"\n{code(f'{failure.cell}: {failure.name}', LONGEST_TITLE)}\n{block(failure.message)}\n"
        room -= len(piece)
        if room < 0:
            yield "\n…\n"
            return
        yield piece
