"""Lease to an answering agent, beside the cold boot of the same image: `python -m benchmarks.machine_ready`.

Needs an image (any `./farm run` bakes one). It starts or joins the service; every clone is made without a waiting one.
Prints medians, and the private memory of one more clone.
"""

import argparse
import statistics
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

from farm_cli.service import Service
from farm_images.catalogue import Image, newest
from farm_scheduler.settings import Settings
from farm_workers.leases import Lease, LeaseRequest, lease

BOUND_SECONDS = 0.7
SETTLE_SECONDS = 2.0
"""Between leases: the machine before is being destroyed, which is not on the path of a single lease."""


def main() -> int:
    """Measure and print; 1 when the bound is missed, 3 without an image."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", default="debian-12")
    parser.add_argument("--clones", type=int, default=15, metavar="N", help="clones to measure (default: 15)")
    arguments = parser.parse_args()
    settings = Settings()
    image = newest(settings.images, arguments.image)
    if image is None:
        print(f"no image {arguments.image} is baked yet: run ./farm run six==1.17.0 first", file=sys.stderr)
        return 3
    with Service(settings) as service:
        service.wait_until_ready()
        return _measure(settings, image, arguments.clones)


def _measure(settings: Settings, image: Image, clones: int) -> int:
    first, accelerator = _timed(settings, image, template=True)
    cold, _ = _timed(settings, image, template=False)
    times = [_timed(settings, image, template=True)[0] for _ in range(clones)]
    median = statistics.median(times)
    print(
        f"image {image.name} {image.digest[:12]}, {accelerator}, {settings.memory_mib} MiB, {settings.vcpus} vCPU"
    )
    print(f"first lease, template found or made      {first:7.2f} s")
    print(f"cold boot to an answering agent          {cold:7.2f} s")
    print(
        f"clone to an answering agent, median      {median:7.2f} s  ({clones}: {min(times):.2f} to {max(times):.2f})"
    )
    held = "held" if median <= BOUND_SECONDS else "MISSED"
    print(f"bound                                    {BOUND_SECONDS:7.2f} s  {held}")
    print(f"cold boot / clone                        {cold / median:7.1f}")
    with _lease(settings, image) as _, _lease(settings, image) as second:
        print(f"private memory of one more clone         {_private_mib(second.machine_id):7.0f} MiB")
    return 0 if median <= BOUND_SECONDS else 1


def _lease(settings: Settings, image: Image, *, template: bool = True) -> AbstractContextManager[Lease]:
    request = LeaseRequest.of(
        image, memory_mib=settings.memory_mib, vcpus=settings.vcpus, warm=False, template=template
    )
    return lease(settings.holder_socket, request, timeout=400)


def _timed(settings: Settings, image: Image, *, template: bool) -> tuple[float, str]:
    start = time.perf_counter()
    with _lease(settings, image, template=template) as machine:
        seconds = time.perf_counter() - start
    time.sleep(SETTLE_SECONDS)
    return seconds, machine.accelerator


def _private_mib(machine: str) -> float:
    """Pages of the QEMU process of `machine` that no other process has, in MiB (smaps_rollup, proc(5))."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"/{machine}/".encode() not in (process / "cmdline").read_bytes():
                continue
            rows = (process / "smaps_rollup").read_text(encoding="utf-8").splitlines()
        except OSError:
            continue  # it ended while we looked
        return sum(int(row.split()[1]) for row in rows if row.startswith("Private_")) / 1024
    raise LookupError(machine)


if __name__ == "__main__":
    sys.exit(main())
