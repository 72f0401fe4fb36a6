"""What the standard library doesn't offer of Linux: dying with a parent, adopting orphans, counting memory."""

import ctypes
import os
import signal
import time

_SET_PDEATHSIG = 1
_SET_CHILD_SUBREAPER = 36


def _prctl(option, value):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} failed")


def die_with(parent, number):
    """Has the kernel send `number` to this process when the process `parent` ends, even if it is killed."""
    _prctl(_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:
        os._exit(1)  # it ended before the kernel was told


def adopt_orphans():
    """Whatever a trial leaves behind, in a session of its own or not, becomes a child of this process."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def children():
    pid = os.getpid()
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except FileNotFoundError:  # a kernel without this list
        return [child for child in _pids() if _parent_of(child) == pid]


def _pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def end_children(seconds=2.0):
    """Kills and reaps every child; killing one may bring its own children here. Returns how many would not go."""
    until = time.monotonic() + seconds
    while True:
        left = children()
        for pid in left:
            _kill(pid)
        _reap()
        if not left or time.monotonic() > until:
            return len(left)
        time.sleep(0.002)


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def kill_group(pid, number):
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def usage():
    """What the process holds: memory in bytes, descriptors, threads of any kind."""
    pid = os.getpid()
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {
        "rss": resident,
        "fds": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": len(os.listdir(f"/proc/{pid}/task")),
    }
