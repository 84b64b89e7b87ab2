"""`/images`: the systems of the farm, and which Pythons were started in them.

Included by application. It bakes nothing.
"""

from fastapi import APIRouter
from sqlmodel import col, select

from farm_api.v1.callers import Reader
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.shapes import After, Image, Limit, Page, SystemName
from farm_scheduler import tables
from farm_scheduler.errors import NotFoundError
from farm_scheduler.record_pages import read_page

router = APIRouter(prefix="/images", tags=["images"], route_class=Door)


class ImagePage(Page[Image]):
    """A page of images."""


@router.get("", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses()})
def list_images(caller: Reader, house: TheHouse, after: After = None, limit: Limit = 100) -> ImagePage:
    """The images that the farm has or was asked for, by name."""
    del caller
    with house.database.read() as session:
        page = read_page(session, select(tables.Image), [col(tables.Image.name)], after=after, limit=limit)
        return ImagePage.model_validate({"items": page.rows, "next": page.next})


@router.get("/{system}", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_image(caller: Reader, house: TheHouse, system: SystemName) -> Image:
    """One image."""
    del caller
    with house.database.read() as session:
        row = session.get(tables.Image, system)
        if row is None:
            raise NotFoundError(f"there is no image {system} (yet)", image=system)
        return Image.model_validate(row)
