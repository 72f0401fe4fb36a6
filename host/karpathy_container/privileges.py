"""Rights of this process: only that of looking at the agent's sockets is kept, and only here."""

import ctypes
import os
import signal

_SET_PDEATHSIG = 1
_SET_DUMPABLE = 4
_SET_KEEPCAPS = 8
_SET_NO_NEW_PRIVS = 38
_CAP_VERSION_3 = 0x20080522
_SYS_PTRACE = 19

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def _prctl(option, value):
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} failed")


def _set_capabilities(*kept):
    header, data = _Header(_CAP_VERSION_3, 0), (_Data * 2)()
    for number in kept:
        data[number // 32].effective |= 1 << number % 32
        data[number // 32].permitted |= 1 << number % 32
    if _libc.capset(ctypes.byref(header), ctypes.byref(data)) != 0:
        raise OSError(ctypes.get_errno(), "capset failed")


def become(uid):
    """Gives up every right but the one of `network.Gate`. With `uid` (where root started us), becomes that user."""
    if uid is not None:
        _prctl(_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _set_capabilities(_SYS_PTRACE)  # ambient ones go with the inheritable
    _prctl(_SET_NO_NEW_PRIVS, 1)
    # The agent runs as the same user; without this it could trace this process and open its files.
    _prctl(_SET_DUMPABLE, 0)
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)  # a change of user forgot it


def drop_all():
    _set_capabilities()
