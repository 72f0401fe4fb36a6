"""Ends a trial as the interpreter would, but for taking the host apart: that would copy every page that is shared."""

import atexit
import gc
import io
import os
import sys
import threading


def leave(code):
    """Does not return. `code` is what `sys.exit` would be given."""
    if not (code is None or isinstance(code, int)):
        sys.exit(code)  # prints it
    threading._shutdown()
    atexit._run_exitfuncs()
    for thing in gc.get_objects():  # what was made since the fork: all else is frozen
        if isinstance(thing, io.IOBase):
            _flush(thing)
    for stream in (sys.stdout, sys.stderr):
        _flush(stream)
    os._exit((code or 0) & 0xFF)


def _flush(file):
    try:
        if not file.closed:
            file.flush()
    except Exception:  # noqa: B902 - as at the interpreter's end
        pass
