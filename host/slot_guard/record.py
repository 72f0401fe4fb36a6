"""The trial's record: one JSON line per event, in a file that the agent cannot reach with its file tools."""

import json
import os
import threading
import time


class Record:
    def __init__(self, path=None, fd=None):
        """In the file at `path`, or in one that is open already."""
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if fd is None else fd
        os.set_inheritable(self._fd, False)
        self._lock = threading.Lock()

    def write(self, event):
        line = json.dumps({**event, "at": int(time.time() * 1000)}, ensure_ascii=False, default=str) + "\n"
        data = line.encode("utf-8", "replace")
        with self._lock:
            while data:
                data = data[os.write(self._fd, data) :]
