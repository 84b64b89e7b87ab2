"""Runs a program and writes down every socket for a network that it, or anything it starts, asks the kernel for.

Started by the tests: `network_trace.py REPORT PROGRAM ARGUMENT…`. The kernel itself tells (a seccomp filter with a
listener, Linux 5.0 and later), so that nothing is missed as a program such as strace, which may not be there, would
be; each such call is refused. It never looks at sockets inside the machine (AF_UNIX).
"""

import ctypes
import fcntl
import json
import os
import platform
import select
import struct
import sys
from pathlib import Path

# By machine: the number that the kernel has for it, and those of seccomp() and socket().
MACHINES = {"x86_64": (0xC000003E, 317, 41), "aarch64": (0xC00000B7, 277, 198)}
IO_URING_SETUP = 425
INET, INET6, PACKET = 2, 10, 17
NO_NEW_PRIVILEGES, SET_FILTER, NEW_LISTENER = 38, 1, 8
ALLOW, NOTIFY, NO_SUCH_CALL, KILL = 0x7FFF0000, 0x7FC00000, 0x00050000 | 38, 0x80000000
RECEIVE, SEND = 0xC0502100, 0xC0182101
LOAD, EQUAL, ABOVE, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16
FOREIGN = 0x40000000


def listener():
    """Filter this process and all that it starts; gives the descriptor on which the kernel tells."""
    machine, seccomp, socket = MACHINES[platform.machine()]
    program = [
        (LOAD, 0, 0, MACHINE),
        (EQUAL, 1, 0, machine),
        (RETURN, 0, 0, KILL),  # a program for another machine numbers its calls in another way
        (LOAD, 0, 0, NUMBER),
        (ABOVE, 7, 0, FOREIGN),
        (EQUAL, 7, 0, IO_URING_SETUP),  # which could open a socket without socket()
        (EQUAL, 0, 4, socket),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (EQUAL, 5, 0, INET),
        (EQUAL, 4, 0, INET6),
        (EQUAL, 3, 0, PACKET),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, KILL),
        (RETURN, 0, 0, NO_SUCH_CALL),
        (RETURN, 0, 0, NOTIFY),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    told = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    descriptor = libc.syscall(seccomp, SET_FILTER, NEW_LISTENER, told)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "seccomp: this kernel tells nothing of system calls")
    return descriptor


def next_call(descriptor):
    """The process and the family of one call, which is refused."""
    notice = bytearray(80)
    fcntl.ioctl(descriptor, RECEIVE, notice)
    number, process = struct.unpack_from("=QI", notice)
    (family,) = struct.unpack_from("=Q", notice, 32)
    fcntl.ioctl(descriptor, SEND, struct.pack("=QqiI", number, 0, -1, 0))
    return {"process": process, "family": family}


def main():
    """Run it, write the report, and end with its code."""
    report, *command = sys.argv[1:]
    descriptor = listener()
    child = os.fork()
    if child == 0:
        os.execv(command[0], command)
    calls = []
    ended = 0
    while not ended:
        readable, _, _ = select.select([descriptor], [], [], 0.05)
        if readable:
            calls.append(next_call(descriptor))
        else:
            ended, status = os.waitpid(child, os.WNOHANG)
    Path(report).write_text(json.dumps(calls), "utf-8")
    sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)


if __name__ == "__main__":
    main()
