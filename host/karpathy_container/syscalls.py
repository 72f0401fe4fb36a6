"""Calls of the kernel that no agent needs and that lead deepest into it.

Above all new user namespaces: in one of its own a process has every right again, may mount what nothing counts, and
reaches much code of the kernel that is otherwise closed to it. Refused as if it lacked the right; no signal.
"""

import ctypes
import errno
import platform
import struct

_SET_SECCOMP = 22
_MODE_FILTER = 2
_NEW_NAMESPACE = 0x7E020000  # CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET

# architecture: (AUDIT_ARCH, calls with flags as first argument, calls that are refused)
_KNOWN = {
    "x86_64": (
        0xC000003E,
        {"clone": 56, "unshare": 272},
        {
            **{"mount": 165, "umount2": 166, "pivot_root": 155, "setns": 308, "quotactl": 179},
            **{"keyctl": 250, "add_key": 248, "request_key": 249, "bpf": 321, "perf_event_open": 298},
            **{"userfaultfd": 323, "open_by_handle_at": 304},
        },
    ),
    "aarch64": (
        0xC00000B7,
        {"clone": 220, "unshare": 97},
        {
            **{"mount": 40, "umount2": 39, "pivot_root": 41, "setns": 268, "quotactl": 60},
            **{"keyctl": 219, "add_key": 217, "request_key": 218, "bpf": 280, "perf_event_open": 241},
            **{"userfaultfd": 282, "open_by_handle_at": 265},
        },
    ),
}
# The same everywhere. clone3 hides its flags in memory; the C library does without it when it isn't there.
_CLONE3 = 435
_NEWER = {
    **{"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429},
    **{"fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442},
}
_X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _REFUSE, _ABSENT = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS


def _program(arch, flagged, refused):
    """Classic BPF: (code, jump when true, jump when false, value)."""
    steps = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _REFUSE),  # another architecture's calls have other numbers
        (_LOAD, 0, 0, _NR),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _REFUSE),
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ABSENT),
    ]
    for number in refused:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    for number in flagged:
        steps += [
            (_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _FIRST_ARGUMENT),
            (_ANY_BIT, 0, 1, _NEW_NAMESPACE),
            (_RETURN, 0, 0, _REFUSE),
            (_RETURN, 0, 0, _ALLOW),
        ]
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def refuse():
    """For this process and all it starts, for good."""
    machine = platform.machine()
    if machine not in _KNOWN:
        raise OSError(f"the calls of {machine} are not known")
    arch, flagged, refused = _KNOWN[machine]
    steps = _program(arch, flagged.values(), [*refused.values(), *_NEWER.values()])
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = _Program(len(steps), code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of calls")
