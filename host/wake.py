"""Starts `hermes karpathy tick` in the background, at most once every few minutes on this machine."""

import os
import subprocess
import sys
import threading
import time

from . import places

EVERY_SECONDS = 300


def wake_tick(home, stamp):
    if not _claim(stamp):
        return
    child = subprocess.Popen(
        [*hermes_command(), "-p", places.profile_name(home), "karpathy", "tick"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=background_env(home),
        cwd=home,
        start_new_session=True,
    )
    # Nobody needs its result; the wait only keeps it from lingering as a zombie in a long-lived gateway.
    threading.Thread(target=child.wait, daemon=True).start()


def hermes_command():
    return [sys.executable, "-m", "hermes_cli.main"]


def background_env(home):
    """The environment of work that no agent asked for: HERMES_SESSION_ID would mark it as an agent's shell."""
    env = {name: value for name, value in os.environ.items() if name != "HERMES_SESSION_ID"}
    env["HERMES_HOME"] = home
    env["KARPATHY_BACKGROUND"] = "1"
    return env


def _claim(stamp):
    """True for one process per interval. The lock makes reading the age and renewing it one step."""
    import fcntl

    fd = os.open(stamp, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        state = os.fstat(fd)
        age = time.time() - state.st_mtime
        # A file without content was created just now; a stamp in the future comes from a clock that was set back.
        if state.st_size > 0 and 0 <= age < EVERY_SECONDS:
            return False
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(int(time.time())).encode("ascii"), 0)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
