"""Progress of set-up: one line per step with the time it took; on a terminal it counts while it runs."""

import contextlib
import threading
import time


class Steps:
    def __init__(self, stream):
        self._stream = stream
        self._live = stream.isatty()

    @contextlib.contextmanager
    def step(self, name):
        started = time.monotonic()
        done = threading.Event()
        counter = threading.Thread(target=self._count, args=(name, started, done), daemon=True)
        if self._live:
            counter.start()
        else:
            self._write(f"{name} …\n")
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            done.set()
            if self._live:
                counter.join()
                self._write(f"\r\x1b[K{'✓' if outcome == 'done' else '✗'} {name}  {_seconds(started)}\n")
            else:
                self._write(f"{name}: {outcome} in {_seconds(started)}\n")

    def _count(self, name, started, done):
        while not done.is_set():
            self._write(f"\r\x1b[K… {name}  {_seconds(started)}")
            done.wait(0.5)

    def _write(self, text):
        self._stream.write(text)
        self._stream.flush()


def _seconds(started):
    return f"{time.monotonic() - started:.1f} s"
