"""The walls around the job's processes: a control group where there is one, and an end that nothing survives.

Used by `starter_process` (to put the first process in), `job` (to end all of them) and `watch` (to reap).
It never limits the agent itself.
"""

import contextlib
import ctypes
import os
import resource
import signal
import time
from pathlib import Path

from farm_images.agent.job_user import JobUser

MAX_PROCESSES = 1024
_AGENT_MEMORY = 96 << 20
_KILL_SECONDS = 10.0
_PR_SET_CHILD_SUBREAPER = 36
_CGROUPS = Path("/sys/fs/cgroup")


class Confinement:
    """Where a job's processes are kept and counted.

    Without control groups (a test, an old kernel) limits are those of the user, and the end finds the
    processes by their user or, unprivileged, by their descent.
    """

    def __init__(self, user: JobUser) -> None:
        self._user = user
        self._group: Path | None = None
        # What loses its parent becomes ours: found at the end, whatever it did to hide.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        if user.drop:
            os.setpriority(os.PRIO_PROCESS, 0, -5)
            with contextlib.suppress(OSError):
                self._group = _make_group()
            with contextlib.suppress(OSError):
                Path("/proc/self/oom_score_adj").write_text("-900")

    def take_in(self, pid: int) -> None:
        """Put a process, which has no children yet, inside."""
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        if self._user.drop:
            # Twice the group's bound: reached first only where there is no group.
            processes = MAX_PROCESSES if self._group is None else 2 * MAX_PROCESSES
            resource.prlimit(pid, resource.RLIMIT_NPROC, (processes, processes))
            os.setpriority(os.PRIO_PROCESS, pid, 0)
            Path(f"/proc/{pid}/oom_score_adj").write_text("0")
        if self._group is not None:
            (self._group / "cgroup.procs").write_text(str(pid))

    def exceeded(self) -> str | None:
        """The resource whose bound the kernel has enforced since the start, if any."""
        return next((name for name, count in self.refusals().items() if count), None)

    def refusals(self) -> dict[str, int]:
        """How often the kernel has enforced each bound since the start; many processes also eat memory."""
        if self._group is None:
            return {}
        return {
            "processes": _count(self._group / "pids.events", "max"),
            "memory": _count(self._group / "memory.events", "oom_kill"),
        }

    def kill_all(self, keep: int | None = None) -> None:
        """End every process of the job, also what it forks meanwhile; the exit status of `keep` is kept."""
        deadline = time.monotonic() + _KILL_SECONDS
        while time.monotonic() < deadline:
            if self._group is not None:
                with contextlib.suppress(OSError):
                    (self._group / "cgroup.kill").write_text("1")
            pids = self._pids()
            if not pids:
                return
            # Frozen first, so that none of them forks its way out between two looks.
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, number)
            self.reap(keep)
            time.sleep(0.01)

    def reap(self, keep: int | None = None) -> None:
        """Collect what ended among our children, except the process whose exit status someone waits for."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if ended.si_pid == keep:
                    return
                os.waitpid(ended.si_pid, os.WNOHANG)

    def _pids(self) -> list[int]:
        """The job's live processes; zombies do not count."""
        children: dict[int, list[int]] = {}
        theirs: list[int] = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if fields[0] in "ZX":
                    continue
                pid = int(entry.name)
                children.setdefault(int(fields[1]), []).append(pid)
                if entry.stat().st_uid == self._user.uid:
                    theirs.append(pid)
        if self._user.drop:
            return theirs
        found = list(children.get(os.getpid(), ()))
        for pid in found:
            found.extend(children.get(pid, ()))
        return found


def _make_group() -> Path:
    """A group for the job beside one for the agent, below the agent's own unit. Raises OSError."""
    line = Path("/proc/self/cgroup").read_text().strip().rpartition("\n")[2]
    unit = _CGROUPS / line.partition("::")[2].lstrip("/")
    for name in ("agent", "job"):
        (unit / name).mkdir(exist_ok=True)
    for pid in (unit / "cgroup.procs").read_text().split():
        (unit / "agent/cgroup.procs").write_text(pid)
    (unit / "cgroup.subtree_control").write_text("+pids +memory")
    with contextlib.suppress(OSError):  # a kernel without it is only slower to end a fork bomb
        (unit / "cgroup.subtree_control").write_text("+cpu")
        # The agent goes first, however many processes the job has.
        (unit / "agent/cpu.weight").write_text("10000")
    group = unit / "job"
    (group / "pids.max").write_text(str(MAX_PROCESSES))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    (group / "memory.max").write_text(str(memory - _AGENT_MEMORY))
    return group


def _count(path: Path, event: str) -> int:
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == event:
                return int(number)
    return 0
