"""The program that libvirt starts in place of QEMU: it shuts QEMU in, then becomes it.

libvirt runs a copy of this file (see `install`), with the machine's confinement in WHEELFARM_* variables.
Without them (libvirt asking QEMU for its capabilities) it becomes QEMU at once. It never runs guest code and
never returns: it ends as QEMU, or with one sentence on standard error, which libvirt quotes.

What a machine's QEMU is left with: a network namespace whose only listener is the index proxy's, a view of the
disk without the farm's home but for its own files, a user of its own, no way to gain rights. Standard library
only, and few imports at the top: its start is on the path of every job.
"""

import os
import sys

QEMU = "/usr/bin/qemu-system-x86_64"
INDEX_PORT = 3141
_CLONE_NEWNS = 0x0002_0000
_CLONE_NEWIPC = 0x0800_0000
_CLONE_NEWUSER = 0x1000_0000
_CLONE_NEWNET = 0x4000_0000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
_SIOCSIFFLAGS = 0x8914
_PR_SET_NO_NEW_PRIVS = 38
_FILE_BYTES = 16 << 30  # the overlay of an 8 GiB disk with room to spare; also bounds the console's file


def install(path: str, python: str) -> str:
    """Write this file as an executable for libvirt at `path`, started by `python`; returns `path`.

    The file is left alone when it is already right: libvirt keeps QEMU's capabilities by its time stamp.
    """
    with open(__file__, encoding="utf-8") as own:
        text = f"#!{python} -IS\n{own.read()}"
    try:
        with open(path, encoding="utf-8") as old:
            if old.read() == text:
                return path
    except FileNotFoundError:
        pass
    with open(path + ".new", "w", encoding="utf-8") as new:
        new.write(text)
    os.chmod(path + ".new", 0o755)  # noqa: S103 - QEMU's user runs it too
    os.replace(path + ".new", path)
    return path


def main(argv: list[str]) -> None:
    """Confine this process as the WHEELFARM_* variables say, then become QEMU with `argv`."""
    machine = os.environ.pop("WHEELFARM_MACHINE", "")
    if machine:
        index = os.environ.pop("WHEELFARM_INDEX", "")
        home = os.environ.pop("WHEELFARM_HOME")
        user = os.environ.pop("WHEELFARM_USER", "")
        visible = os.environ.pop("WHEELFARM_VISIBLE", "").split("\n")
        own = [path for path in os.environ.pop("WHEELFARM_OWN", "").split("\n") if path]
        control = _connect(index) if index else None
        _confine(argv, machine, home, user, visible, own, control)
    os.execv(QEMU, [QEMU, *argv])  # noqa: S606 - becoming QEMU, with libvirt's own arguments, is the purpose


def _confine(  # noqa: PLR0917 - the steps of one confinement, in their order, each value used once
    argv: list[str], machine: str, home: str, user: str, visible: list[str], own: list[str], control: object
) -> None:
    root = os.geteuid() == 0
    uid, gid = (int(part) for part in user.split(":")) if user else (0, 0)
    spaces = _CLONE_NEWNET | _CLONE_NEWNS | _CLONE_NEWIPC
    if root:
        _unshare(spaces)
    else:
        uid, gid = _enter_user_namespace(spaces)
    secret = _secret_folder(argv)
    _hide(home, [*visible, secret + ":rw"] if secret else visible)
    for path in (
        [*own, secret, *(os.path.join(secret, name) for name in os.listdir(secret))] if secret else own
    ):
        os.chown(path, uid, gid)
    _loopback_up()
    if control is not None:
        _hand_over_listener(control, machine)
    _drop(uid, gid, root=root)


def _libc() -> object:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    import ctypes

    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _unshare(spaces: int) -> None:
    _check(_libc().unshare(spaces), "unshare")  # type: ignore[attr-defined] # ctypes has no types of libc


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode(), flags, options.encode())
    _check(_libc().mount(*arguments), f"mount {target}")  # type: ignore[attr-defined] # as above


def _enter_user_namespace(spaces: int) -> tuple[int, int]:
    """Enter a user namespace (a farm without root) and return the user and group for QEMU in it.

    With subordinate numbers (/etc/subuid and newuidmap) that is a user of its own; else the farm's user.
    """
    uid, gid, pid = os.getuid(), os.getgid(), os.getpid()
    sub_uid, sub_gid = _subordinate("/etc/subuid"), _subordinate("/etc/subgid")
    ready_read, ready_write = os.pipe()
    mapper = os.fork() if sub_uid and sub_gid else -1
    if mapper == 0:
        os.close(ready_write)
        os.read(ready_read, 1)
        _map(pid, uid, gid, sub_uid, sub_gid)
    _unshare(_CLONE_NEWUSER | spaces)
    os.close(ready_write)
    if mapper > 0:
        if os.waitpid(mapper, 0)[1] != 0:
            raise OSError(1, "newuidmap or newgidmap refused the numbers of /etc/subuid and /etc/subgid")
        return 1, 1
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    return 0, 0


def _map(pid: int, uid: int, gid: int, sub_uid: str, sub_gid: str) -> None:
    """Give `pid`'s user namespace its numbers, as its forked helper; leaves the process."""
    wrong = 1
    try:
        newuidmap = ["newuidmap", str(pid), "0", str(uid), "1", "1", sub_uid, "1"]
        newgidmap = ["newgidmap", str(pid), "0", str(gid), "1", "1", sub_gid, "1"]
        wrong = os.spawnvp(os.P_WAIT, newuidmap[0], newuidmap)  # noqa: S606 - no shell, fixed words
        wrong = wrong or os.spawnvp(os.P_WAIT, newgidmap[0], newgidmap)  # noqa: S606 - as above
    finally:
        os._exit(1 if wrong else 0)


def _subordinate(path: str) -> str:
    """The first subordinate number that `path` (subuid(5)) gives this user, or an empty string."""
    import pwd

    names = (pwd.getpwuid(os.getuid()).pw_name, str(os.getuid()))
    try:
        with open(path, encoding="utf-8") as file:
            rows = [line.strip().split(":") for line in file]
    except FileNotFoundError:
        return ""
    return next((row[1] for row in rows if len(row) == 3 and row[0] in names), "")


def _secret_folder(argv: list[str]) -> str:
    """The folder with the key that libvirt makes for each machine and QEMU reads at its start."""
    for word in argv:
        if '"masterKey0"' in word:
            # Not with the json module: its import alone takes 10 ms of each machine's start.
            return os.path.dirname(word.split('"file":"', 1)[1].split('"', 1)[0])
    return ""


def _hide(home: str, visible: list[str]) -> None:
    """Put an empty folder over the farm's home, with only `visible` ("PATH:ro" or "PATH:rw") in it.

    The cover starts at the first folder above that the machine's user could not pass (/root, say).
    """
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    entries = [entry.rsplit(":", 1) for entry in visible if entry]
    handles = [(os.open(path, os.O_PATH), path, mode) for path, mode in entries]
    covers = {_first_closed(home), *(_first_closed(os.path.dirname(path)) for _, path, _ in handles)}
    for cover in sorted(covers):
        if not any(cover.startswith(other + "/") for other in covers):
            _mount("tmpfs", cover, "tmpfs", 0, "mode=0755,size=1m")
    for handle, path, mode in handles:
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            os.makedirs(path, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT, 0o600))
        _mount(f"/proc/self/fd/{handle}", path, "", _MS_BIND)
        if mode == "ro":
            _mount("none", path, "", _MS_BIND | _MS_REMOUNT | _MS_RDONLY)
        os.close(handle)


def _first_closed(path: str) -> str:
    """The first folder on the way to `path` that others may not pass; `path` itself when there is none."""
    parts = path.rstrip("/").split("/")
    for length in range(2, len(parts)):
        folder = "/".join(parts[:length])
        if not os.stat(folder).st_mode & 0o001:
            return folder
    return path.rstrip("/")


def _loopback_up() -> None:
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", 0x41))  # IFF_UP | IFF_RUNNING


def _connect(path: str) -> object:
    import socket

    control = socket.socket(socket.AF_UNIX)
    try:
        control.connect(path)
    except OSError as error:
        raise OSError(error.errno, f"the index proxy does not answer at {path}") from error
    return control


def _hand_over_listener(control: object, machine: str) -> None:
    """Open the port that the guest reaches and hand it to the index proxy, which lives outside.

    The control connection stays open in QEMU: its end tells the proxy that the machine is gone.
    """
    import socket

    assert isinstance(control, socket.socket)  # noqa: S101 - for the type checker: imports stay off the top
    with socket.socket(socket.AF_INET) as listener:
        listener.bind(("127.0.0.1", INDEX_PORT))
        listener.listen(64)
        message = f'{{"machine": "{machine}"}}\n'.encode()
        socket.send_fds(control, [message], [listener.fileno()])
    control.set_inheritable(True)
    control.detach()


def _drop(uid: int, gid: int, *, root: bool) -> None:
    """Become the machine's user, with the KVM group where the device has one, and no way back."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    if root or uid:
        groups = []
        if root and os.path.exists("/dev/kvm") and os.stat("/dev/kvm").st_mode & 0o060:
            groups = [os.stat("/dev/kvm").st_gid]
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    _check(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")  # type: ignore[attr-defined] # as above


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.exit(f"wheelfarm cannot confine this machine's QEMU: {error}")
