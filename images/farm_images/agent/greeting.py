"""What a HELLO changes in the guest: the kernel's random pool and the clock.

Called by `conversation` for each HELLO, so that a machine copied from a template shares neither secret
numbers nor time with its siblings. It never answers the host itself.
"""

import fcntl
import os
import struct
import time

from farm_images.wire import HelloFrame

_RNDADDENTROPY = 0x40085203
_RNDRESEEDCRNG = 0x5207


def take(hello: HelloFrame) -> None:
    """Add the host's entropy, make the kernel use it at once, set the clock. Raises OSError."""
    device = os.open("/dev/urandom", os.O_WRONLY | os.O_CLOEXEC)
    try:
        request = struct.pack("ii", 8 * len(hello.entropy), len(hello.entropy)) + hello.entropy
        fcntl.ioctl(device, _RNDADDENTROPY, request)
        fcntl.ioctl(device, _RNDRESEEDCRNG)
    finally:
        os.close(device)
    time.clock_settime(time.CLOCK_REALTIME, hello.time)
