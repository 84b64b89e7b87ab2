"""The wait for an image by somebody who needs it now: it is looked at again, baked, or cannot be had.

Called by shell; a worker that starts looks at every image again, so one that is there may be away for a moment. It
never bakes.
"""

import time
from collections.abc import Callable

from farm_images.catalogue import Image
from farm_images.errors import ImageError
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image as ImageRow
from farm_workers.run import Hands, ready_image

IMAGE_SECONDS = 1800.0
LOOK_SECONDS = 0.5


def wait_for_image(
    hands: Hands, system: str, ask: Callable[[str], None], say: Callable[[str], None]
) -> Image:
    """The image of a system, once it is ready; `ask` has it baked, `say` is told what happens.

    Raises:
        ImageError: it cannot be baked, or not in time, or its files are not there.
    """
    deadline = time.monotonic() + IMAGE_SECONDS
    asked = False
    while time.monotonic() < deadline:
        with hands.database.read() as session:
            row = session.get(ImageRow, system)
        if row is not None and row.state is ImageState.READY:
            return ready_image(hands, system)
        if row is not None and row.state is ImageState.FAILED and asked:
            raise ImageError(f"the image {system} could not be baked: {row.note}", image=system)
        if not asked:
            ask(system)
            asked = True
        progress = f"{row.progress} %, {row.note}" if row is not None and row.note else "is looked at"
        say(f"image {system}: {progress}")
        time.sleep(LOOK_SECONDS)
    raise ImageError(
        f"the image {system} was not ready within {IMAGE_SECONDS / 60:.0f} min; see `wheelfarm images`"
    )
