"""Machines as the runner wants them: one of an image, for the length of a block, from this host's holder.

Made by tasks for run and image_bake. It never keeps a machine and never talks to libvirt.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from farm_images.catalogue import Image
from farm_scheduler.settings import Settings
from farm_workers.leases import Lease, LeaseRequest, lease

LEASE_SECONDS = 600.0
"""How long a machine may take: the first of an image boots cold, and becomes the template."""

Machines = Callable[[Image, Callable[[str], None]], AbstractContextManager[Lease]]
"""Gives a machine of an image for the length of a block, and tells in short sentences what happens meanwhile."""


def holder_machines(settings: Settings) -> Machines:
    """The machines of the holder on this host."""

    def machine(image: Image, progress: Callable[[str], None]) -> AbstractContextManager[Lease]:
        request = LeaseRequest.of(image, memory_mib=settings.memory_mib, vcpus=settings.vcpus)
        return lease(settings.holder_socket, request, timeout=LEASE_SECONDS, progress=progress)

    return machine
