"""Bakes the image of a system, starts every interpreter of it in a machine, and records what works.

Called by the bake task. A second caller for the same image finds the first one's work. It never changes an
image that is ready, and a bake that fails leaves a sentence in the record.
"""

import json
import logging
import select
import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session

from farm_images.bake import bake, find_ready
from farm_images.bake_estimate import BakeEstimate, expected_seconds
from farm_images.catalogue import Image, Interpreter, with_interpreters
from farm_images.errors import FarmError, ImageError
from farm_images.package_disk import CACHE, add_package_disk
from farm_images.wire import ID_INTERPRETER, ID_JOB, FrameType, ProbeFrame, encode_frame
from farm_scheduler.audit import note_change
from farm_scheduler.database import Database
from farm_scheduler.identifiers import new_id
from farm_scheduler.interpreters import version_order
from farm_scheduler.roles import FARM
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState
from farm_scheduler.systems import providers_of, recipe_of
from farm_scheduler.tables import Image as ImageRow
from farm_scheduler.tables import now
from farm_workers.leases import Lease
from farm_workers.machines import Machines
from farm_workers.package_fill import OLDEST, fill_packages
from farm_workers.stream_reader import StreamReader

STALE = timedelta(minutes=5)
"""A bake that says nothing for this long is dead, and another may begin."""

BAKE_SHARE = 0.85
"""The bake's part of the whole progress; then come the package disk and the probe of the interpreters."""

PACKAGES_PERCENT = 86
PROBE_PERCENT = 92

PROBE_SECONDS = 900.0
PROBE_TRIES = 3
PROBE_PAUSE = 2.0
PROBE_BYTES = 16 << 20
WRITE_SECONDS = 0.5

LOG = logging.getLogger(__name__)


class ImageBake:
    """One bake of one image, with its row in the record.

    Args:
        stop: set it to end the bake early.
    """

    def __init__(
        self, name: str, *, settings: Settings, database: Database, machines: Machines, stop: threading.Event
    ) -> None:
        self._name = name
        self._settings = settings
        self._database = database
        self._machines = machines
        self._stop = stop
        self._written = 0.0
        self._estimate: BakeEstimate | None = None

    def run(self, *, look_only: bool = False) -> bool:
        """Bring the image to ready or failed; returns False when another bake of it is at work.

        With `look_only` an image that would have to be made stays missing: nobody wants it now.
        """
        if not self._begin():
            return False
        try:
            if look_only and not self._is_there():
                self._write(state=ImageState.MISSING, progress=0, note="")
                return True
            image, found = self._image()
        except FarmError as error:
            self._fail(error.sentence)
        except Exception as error:
            LOG.exception("the bake of %s failed", self._name)
            self._fail(
                f"the bake failed unexpectedly ({type(error).__name__}: {error}); see the worker's log"
            )
        else:
            self._ready(image, found)
        return True

    def _begin(self) -> bool:
        with self._database.write() as session:
            row = session.get(ImageRow, self._name) or ImageRow(name=self._name)
            fresh = row.updated is not None and now() - row.updated < STALE
            if row.state == ImageState.BAKING and fresh:
                return False
            row.state, row.progress, row.left_seconds = ImageState.BAKING, 0, None
            row.note, row.updated = "looking at the image", now()
            session.add(row)
            return True

    def _is_there(self) -> bool:
        recipe, providers = recipe_of(self._name, self._settings), providers_of(self._settings)
        return find_ready(recipe, images=self._settings.images, providers=providers) is not None

    def _image(self) -> tuple[Image, list[dict[str, Any]]]:
        recipe = recipe_of(self._name, self._settings)
        self._estimate = BakeEstimate(expected_seconds(recipe, self._settings.images))
        image = bake(
            recipe,
            images=self._settings.images,
            providers=providers_of(self._settings),
            progress=lambda percent, sentence: self._tell(int(percent * BAKE_SHARE), sentence),
            stop=self._stop,
        )
        if image.probed:
            with self._database.read() as session:
                row = session.get(ImageRow, self._name)
            if row is not None and row.digest == image.digest and row.interpreters:
                return image, row.interpreters
            return image, [_entry(each) for each in image.interpreters]
        image = self._with_packages(image)
        begun = time.monotonic()
        answers = self._probe(image)
        seconds = round(time.monotonic() - begun, 1)
        probed = with_interpreters(image, answers, seconds=seconds)
        return probed, _told(image, answers)

    def _with_packages(self, image: Image) -> Image:
        """The image with its package disk; without one when nothing can be fetched, which only costs time."""
        pythons = sorted({each.python for each in image.interpreters if each.implementation == "cpython"})
        new = [python for python in pythons if version_order(python) >= OLDEST]
        if image.packages_digest or not self._settings.package_disk or not new:
            return image
        self._tell(PACKAGES_PERCENT, "filling the package disk with what is popular")
        try:
            with tempfile.TemporaryDirectory(prefix=".bake-packages-", dir=image.folder.parent) as folder:
                fill_packages(self._settings.index_socket, Path(folder) / CACHE, new, self._stop)
                return add_package_disk(image, Path(folder))
        except ImageError as error:
            LOG.warning("the image %s has no package disk: %s", image.name, error.sentence)
            return image

    def _probe(self, image: Image) -> list[dict[str, Any]]:
        """Start every interpreter in a machine of the image; what it says of each."""
        self._tell(PROBE_PERCENT, "starting the first machine of the image")
        for left in reversed(range(PROBE_TRIES)):
            try:
                found = self._probe_once(image)
                break
            except FarmError:
                if not left or self._stop.wait(PROBE_PAUSE):
                    raise
                LOG.warning("the first machine of %s failed; trying again", self._name, exc_info=True)
        if not any(each.get("works") is True for each in found):
            sentence = f"no interpreter of the image {self._name} works in its machine; see its log"
            raise ImageError(sentence, image=self._name)
        return found

    def _probe_once(self, image: Image) -> list[dict[str, Any]]:
        with self._machines(image, lambda sentence: self._tell(PROBE_PERCENT + 1, sentence)) as lease:
            self._tell(96, f"starting {len(image.interpreters)} interpreters in the machine")
            return self._ask(lease, image)

    def _ask(self, lease: Lease, image: Image) -> list[dict[str, Any]]:
        paths = tuple(each.path for each in image.interpreters)
        frame = ProbeFrame(job=new_id("probe"), interpreters=paths)
        lease.channel.setblocking(True)
        lease.channel.settimeout(30)
        lease.channel.sendall(encode_frame(FrameType.JOB, frame.payload()))
        lease.channel.setblocking(False)
        contents: list[bytearray] = []
        deadline = time.monotonic() + PROBE_SECONDS
        with StreamReader(lease.channel, None, PROBE_BYTES) as reader:
            while not reader.ended and not reader.full and time.monotonic() < deadline:
                if not select.select([lease.channel], [], [], 1.0)[0]:
                    continue
                for event in reader.read():
                    if event.test_id == ID_INTERPRETER and event.file_bytes is not None:
                        contents.append(bytearray(event.file_bytes))
                    if event.test_id == ID_JOB and event.status is not None:
                        return [found for each in contents if (found := _answer(each)) is not None]
        raise ImageError(
            f"the machine of the image {self._name} did not answer for its interpreters; try again"
        )

    def _tell(self, percent: int, sentence: str) -> None:
        if time.monotonic() - self._written < WRITE_SECONDS:
            return
        self._written = time.monotonic()
        percent = min(99, percent)
        left = self._estimate.left(percent) if self._estimate else None
        self._write(state=ImageState.BAKING, progress=percent, left_seconds=left, note=sentence)

    def _fail(self, sentence: str) -> None:
        self._write(state=ImageState.FAILED, note=sentence, left_seconds=None)

    def _ready(self, image: Image, found: list[dict[str, Any]]) -> None:
        self._write(
            state=ImageState.READY,
            progress=100,
            left_seconds=None,
            note=" ".join(image.notes),
            digest=image.digest,
            interpreters=found,
            baked=datetime.fromtimestamp(image.baked, UTC),
        )

    def _write(self, **facts: object) -> None:
        with self._database.write() as session:
            row = session.get(ImageRow, self._name)
            if row is None:
                return
            self._note(session, row, facts)
            for name, value in {**facts, "updated": now()}.items():
                setattr(row, name, value)

    def _note(self, session: Session, row: ImageRow, facts: Mapping[str, object]) -> None:
        """The audit log has each new image and each bake that failed; one that is only looked at again is none."""
        if facts.get("state") is ImageState.READY and facts.get("digest") != row.digest:
            note_change(session, FARM, "image.bake", self._name, digest=facts.get("digest"))
        elif facts.get("state") is ImageState.FAILED:
            note_change(session, FARM, "image.bake", self._name, failed=facts.get("note"))


def _entry(interpreter: Interpreter) -> dict[str, Any]:
    """A catalogue entry as the probe tells it."""
    return {
        "path": interpreter.path,
        "version": interpreter.version,
        "implementation": interpreter.implementation,
        "threaded": interpreter.threaded,
        "provider": interpreter.provider,
        "tags": list(interpreter.tags),
        "works": True,
        "reason": "",
    }


def _told(image: Image, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the guest said of each interpreter that was asked for, and what was known of it before."""
    asked = {each.path: each for each in image.interpreters}
    return [
        {**_entry(asked[path]), **{name: value for name, value in each.items() if value is not None}}
        for each in answers
        if (path := str(each.get("path"))) in asked
    ]


def _answer(content: bytearray) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
