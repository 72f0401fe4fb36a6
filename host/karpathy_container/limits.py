"""How much a container may use. The kernel's limits bound each process; here the sum over all of them is watched.

{"memory": bytes, "processes": tasks, "disk": bytes in the writable directories}
"""

import os
import resource
import stat

_PAGE = os.sysconf("SC_PAGE_SIZE")
_BLOCK = 512
# An empty file takes space too, and a million of them time.
_ENTRY = 4096
MB = 1024 * 1024


def apply(limits):
    """For the agent's process and all it starts; a process that meets one is refused, not ended."""
    bounds = {
        # Twice what is watched for: the kernel stops what grows faster than anybody looks.
        resource.RLIMIT_NPROC: limits["processes"] * 2,
        resource.RLIMIT_DATA: limits["memory"],
        resource.RLIMIT_FSIZE: limits["disk"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 8 * MB,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NOFILE: 4096,
    }
    for kind, wanted in bounds.items():
        most = resource.getrlimit(kind)[1]
        value = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(kind, (value, value))


class Watch:
    def __init__(self, limits, directories):
        self._limits = limits
        self._directories = directories
        self._free = None
        self._walked = 0

    def exceeded(self):
        """What is used up, in words; None while nothing is."""
        tasks, resident = _processes()
        if tasks > self._limits["processes"]:
            return f"{tasks} processes and threads; {self._limits['processes']} are allowed"
        memory, deleted = _unnamed()
        memory += _shared_segments()
        if memory + resident > self._limits["memory"]:
            # Pages that processes share were counted for each.
            memory += _proportional()
            if memory > self._limits["memory"]:
                return f"{memory // MB} MB of memory; {self._limits['memory'] // MB} are allowed"
        disk = self._disk() + deleted
        if disk > self._limits["disk"]:
            return f"{disk // MB} MB of files; {self._limits['disk'] // MB} are allowed"
        return None

    def _disk(self):
        """Walks the directories only when the disk has changed: that is the costly part."""
        free = tuple((at.f_bfree, at.f_ffree) for at in map(os.statvfs, self._directories))
        if free != self._free:
            self._free = free
            self._walked = sum(map(_size, self._directories))
        return self._walked


def _processes():
    """Tasks and resident bytes of everything but this process."""
    tasks = resident = 0
    for pid in _pids():
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        tasks += int(fields[17])
        resident += int(fields[21]) * _PAGE
    return tasks, resident


def _pids():
    return [name for name in os.listdir("/proc") if name.isdigit() and int(name) != 1]


def _proportional():
    """Each page once, however many share it."""
    total = 0
    for pid in _pids():
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
        except OSError:
            continue
    return total


def _unnamed():
    """Bytes in open files that no directory lists: (in memory, on disk)."""
    seen = {}
    for pid in _pids():
        listing = f"/proc/{pid}/fd"
        try:
            names = os.listdir(listing)
        except OSError:
            continue
        for fd in names:
            try:
                at = os.stat(f"{listing}/{fd}")
                if stat.S_ISREG(at.st_mode) and at.st_nlink == 0 and at.st_blocks > 0:
                    in_memory = os.readlink(f"{listing}/{fd}").startswith("/memfd:")
                    seen[(at.st_dev, at.st_ino)] = (in_memory, at.st_blocks * _BLOCK)
            except OSError:
                continue
    memory = sum(size for in_memory, size in seen.values() if in_memory)
    return memory, sum(size for _, size in seen.values()) - memory


def _shared_segments():
    """System V shared memory, which nobody needs to have mapped."""
    try:
        with open("/proc/sysvipc/shm", encoding="ascii") as file:
            return sum(int(line.split()[14]) for line in list(file)[1:])
    except (OSError, IndexError):
        return 0


def _size(directory):
    total, seen = 0, set()
    for path, folders, files in os.walk(directory):
        for name in folders + files:
            try:
                at = os.lstat(os.path.join(path, name))
            except OSError:
                continue
            if (at.st_dev, at.st_ino) in seen:
                continue
            if at.st_nlink > 1:
                seen.add((at.st_dev, at.st_ino))
            total += max(at.st_blocks * _BLOCK, _ENTRY)
    return total
