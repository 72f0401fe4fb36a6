"""Reads requests as JSON lines, forks a child for each, and says how it ended.

    -> {"op": "run", "id": 1, "call": "main" | "guard", "args": [...], "cwd", "stdout", "stderr"}
    <- {"event": "started", "id": 1, "pid": 4711}
    -> {"op": "signal", "id": 1, "signal": 15}
    <- {"event": "ended", "id": 1, "code": 0 | null, "signal": null | 9, "left": 0, "cpu_ms", "rss", "fds",
        "threads"}

At the end of its input, or on SIGTERM, it ends the child with everything the child started, and then itself.
"""

import json
import os
import select
import signal
import threading

from . import linux

CALLS = ("main", "guard")


class Trial:
    """What a forked child needs to know; `Server.serve` returns it there, and never returns elsewhere."""

    def __init__(self, request, pid):
        self.id = request["id"]
        self.call = request["call"]
        self.args = request["args"]
        self.pid = pid


class Server:
    def __init__(self, control_in, control_out):
        self._in = control_in
        self._out = control_out
        self._buffer = b""
        self._trial = None
        self._wake_read, self._wake_write = os.pipe()
        for fd in (self._wake_read, self._wake_write):
            os.set_blocking(fd, False)

    def say(self, event):
        data = (json.dumps(event) + "\n").encode()
        while data:
            data = data[os.write(self._out, data) :]

    def serve(self):
        # A handler that does nothing still makes Python write the signal's number to the pipe.
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        while True:
            readable, _, _ = select.select([self._in, self._wake_read], [], [])
            if self._wake_read in readable:
                if signal.SIGTERM in os.read(self._wake_read, 4096):
                    self._end()
                self._reap()
            if self._in in readable:
                chunk = os.read(self._in, 65536)
                if not chunk:
                    self._end()
                self._buffer += chunk
                while b"\n" in self._buffer:
                    line, _, self._buffer = self._buffer.partition(b"\n")
                    trial = self._take(json.loads(line))
                    if trial is not None:
                        return trial

    def _take(self, request):
        if request["op"] == "signal":
            if self._trial is not None and self._trial.id == request["id"]:
                linux.kill_group(self._trial.pid, request["signal"])
            return None
        if self._trial is not None or request["call"] not in CALLS or threading.active_count() != 1:
            raise RuntimeError("a trial can't be forked now")
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(request, server)
            return Trial(request, os.getpid())
        self._trial = Trial(request, pid)
        self.say({"event": "started", "id": request["id"], "pid": pid})
        return None

    def _become_child(self, request, server):
        """As a process that the runner started itself: own session, no input, output in files, default signals."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        linux.die_with(server, signal.SIGKILL)
        for fd in (self._in, self._out, self._wake_read, self._wake_write):
            os.close(fd)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        for target, path in ((1, request["stdout"]), (2, request["stderr"])):
            fd = os.open(path, flags, 0o600)
            os.dup2(fd, target)
            os.close(fd)
        os.chdir(request["cwd"])

    def _reap(self):
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._trial is not None and pid == self._trial.pid:
                self._ended(status, int((used.ru_utime + used.ru_stime) * 1000))

    def _ended(self, status, cpu_ms):
        trial, self._trial = self._trial, None
        linux.kill_group(trial.pid, signal.SIGKILL)
        left = linux.end_children()
        code = os.waitstatus_to_exitcode(status)
        self.say(
            {
                "event": "ended",
                "id": trial.id,
                "code": code if code >= 0 else None,
                "signal": -code if code < 0 else None,
                "left": left,
                "cpu_ms": cpu_ms,
                **linux.usage(),
            }
        )

    def _end(self):
        if self._trial is not None:
            linux.kill_group(self._trial.pid, signal.SIGKILL)
        linux.end_children()
        os._exit(0)
