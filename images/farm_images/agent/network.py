"""The guest's one network address, set without waiting for anything that a distribution brings.

Called by `main` at boot and by `conversation` before a job, as the device may come late. It never sets a
route or a name server: the package index proxy is on the link, and there is nothing else.
"""

import fcntl
import ipaddress
import socket
import struct
from pathlib import Path

DEVICE = "eth0"
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_SIOCSIFFLAGS = 0x8914
_IFF_UP_RUNNING = 0x41


def configure(interface: ipaddress.IPv4Interface) -> bool:
    """Give the network device its address and switch it on; False if the device is not there yet.

    Raises OSError if the kernel refuses.
    """
    if not Path("/sys/class/net", DEVICE).exists():
        return False
    name = DEVICE.encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, address in ((_SIOCSIFADDR, interface.ip), (_SIOCSIFNETMASK, interface.netmask)):
            fcntl.ioctl(control, request, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, address.packed))
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", name, _IFF_UP_RUNNING))
    return True
