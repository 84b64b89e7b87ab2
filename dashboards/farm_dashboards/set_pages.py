"""The pages of what jobs had installed: two jobs beside each other, and the pylock.toml of an environment as a text.

Mounted by site. They show what set_comparison found and what the record kept; nothing is compared here, and the text of
a guest is never shown as anything but plain text.
"""

import re
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse, PlainTextResponse

from farm_dashboards.rendering import Pages
from farm_scheduler.database import Database
from farm_scheduler.errors import NotFoundError
from farm_scheduler.installed_sets import read_sets
from farm_scheduler.set_comparison import Comparison, compare

LONGEST_NAME = 200

Name = Annotated[str, Path(max_length=LONGEST_NAME)]
_ODD = re.compile(r"[^A-Za-z0-9_-]+")


def set_pages(database: Database, pages: Pages) -> APIRouter:
    """The routes below `/jobs/JOB`."""
    router = APIRouter(prefix="/jobs")

    @router.get("/{first}/compare/{second}", response_class=HTMLResponse)
    def comparison(first: Name, second: Name) -> str:
        with database.read() as session:
            found = compare(read_sets(session, first), read_sets(session, second))
        return pages.render("compare.html", found=found, runs=_runs(found), live=False)

    @router.get("/{job}/pylock/{environment:path}", response_class=PlainTextResponse)
    def pylock(job: Name, environment: Name) -> PlainTextResponse:
        with database.read() as session:
            sets = read_sets(session, job).sets
        text = next((each.pylock for each in sets if each.environment == environment), None)
        if text is None:
            sentence = f"job {job} has kept no pylock.toml of the environment {environment}"
            raise NotFoundError(sentence, job=job, environment=environment)
        name = f'attachment; filename="{file_name(environment)}"'
        return PlainTextResponse(text, headers={"Content-Disposition": name})

    return router


def file_name(environment: str) -> str:
    """`pylock.py312.toml`: named after the pylock.toml specification ("File name"), whatever the environment is."""
    name = _ODD.sub("-", environment).strip("-")
    return f"pylock.{name}.toml" if name else "pylock.toml"


def _runs(found: Comparison) -> bool:
    """Whether the two are of different runs, so that their labels do not tell them apart."""
    return found.first.run_id != found.second.run_id
