"""The comment on a pull request: made once, then changed in place, at GitHub, GitLab, Forgejo and Gitea.

Called by sending. A comment whose making was never answered is found by its mark, which nobody could know before. It
never reads or changes what anybody else wrote.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from farm_scheduler.errors import FeedbackError
from farm_scheduler.feedback import Telling
from farm_scheduler.settings import Settings
from farm_workers.feedback.exchange import ask, outgoing
from farm_workers.feedback.markdown import block, code
from farm_workers.feedback.requests import NAME, forge_place, github_headers, github_repository

PAGE = 30
MOST_PAGES = 10
"""Of the comments among which a lost one is looked for, the newest that the forge gives."""

GONE = frozenset({404, 410})
LONGEST_LINE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """The comments of one pull request.

    Attributes:
        list_url: where they are listed, and made.
        item_url: where one of them is changed, with `{}` for its id.
        change: the method that changes one.
        paged: whether the list takes a page.
    """

    list_url: str
    item_url: str
    change: str
    headers: Mapping[str, str] = field(repr=False)
    paged: bool = True


def tell_comment(
    telling: Telling, token: str, settings: Settings, remember: Callable[[str | None], None]
) -> None:
    """Bring the comment of a pull request to the end of this run.

    `remember` is given the forge's id of the comment as soon as it is known, and None when it is gone.

    Raises:
        FeedbackError: the forge did not take it, or knows no comments.
        FarmError: its address may not be asked.
    """
    thread = thread_of(telling, token)
    document = {"body": comment_text(telling)}
    found = telling.remote_id or _find(thread, telling.mark, settings)
    if found is not None:
        changed = outgoing(thread.item_url.replace("{}", found), thread.headers, document, thread.change)
        if ask(changed, settings, fine=GONE).status not in GONE:
            remember(found)
            return
        remember(None)  # somebody removed it: who still wants one gets a new one
    made = ask(outgoing(thread.list_url, thread.headers, document), settings).document
    number = made.get("id") if isinstance(made, dict) else None
    if not isinstance(number, int):
        raise FeedbackError("the forge named no comment; it is tried again")
    remember(str(number))


def thread_of(telling: Telling, token: str) -> Thread:
    """Where the comments of the pull request are.

    Raises:
        FeedbackError: the forge has none that the farm knows, or the project no repository.
    """
    number = telling.subject.removeprefix("pull/")
    maker = THREADS.get(telling.forge or "")
    if maker is None or telling.repository is None or not number.isdigit():
        raise FeedbackError("comments are made at GitHub, GitLab, Forgejo and Gitea; end it with --stop")
    return maker(telling, token, number)


def comment_text(telling: Telling) -> str:
    """The comment, as Markdown."""
    summary = telling.summary
    word = {"success": "as expected", "error": "the farm's own fault"}.get(summary.outcome, "not as expected")
    lines = [f"<!-- {telling.mark} -->", f"**{NAME}**: {word}, {code(summary.text, LONGEST_LINE)}", ""]
    if summary.failing:
        lines += [block("\n".join(each[:LONGEST_LINE] for each in summary.failing)), ""]
    link = f" · [the run]({summary.url})" if summary.url else ""
    lines.append(f"{code((telling.revision or '')[:12], 12)}{link}")
    return "\n".join(lines)


def _find(thread: Thread, mark: str, settings: Settings) -> str | None:
    """The comment with this mark, the oldest of them: a copy came later."""
    for page in range(1, MOST_PAGES + 1):
        query = f"?per_page={PAGE}&page={page}" if thread.paged else ""
        rows = ask(outgoing(thread.list_url + query, thread.headers, method="GET"), settings).document or []
        for each in rows:
            body = each.get("body") if isinstance(each, dict) else None
            if isinstance(body, str) and f"<!-- {mark} -->" in body and isinstance(each.get("id"), int):
                return str(each["id"])
        if not thread.paged or len(rows) < PAGE:
            return None
    return None


def _github(telling: Telling, token: str, number: str) -> Thread:
    issues = f"{github_repository(telling)}/issues"
    return Thread(
        list_url=f"{issues}/{number}/comments",
        item_url=issues + "/comments/{}",
        change="PATCH",
        headers=github_headers(token),
    )


def _gitea(telling: Telling, token: str, number: str) -> Thread:
    home, path = forge_place(telling)
    issues = f"{home}/api/v1/repos/{quote(path)}/issues"
    headers = {"Authorization": f"token {token}"}
    return Thread(
        list_url=f"{issues}/{number}/comments",
        item_url=issues + "/comments/{}",
        change="PATCH",
        headers=headers,
        paged=False,
    )


def _gitlab(telling: Telling, token: str, number: str) -> Thread:
    home, path = forge_place(telling)
    notes = f"{home}/api/v4/projects/{quote(path, safe='')}/merge_requests/{number}/notes"
    return Thread(
        list_url=notes,
        item_url=notes + "/{}",
        change="PUT",
        headers={"PRIVATE-TOKEN": token},
    )


THREADS: Mapping[str, Callable[[Telling, str, str], Thread]] = {
    "github": _github,
    "gitlab": _gitlab,
    "forgejo": _gitea,
    "gitea": _gitea,
}
"""How each forge has its comments."""
