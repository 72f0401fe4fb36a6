"""Starts the worker of `hermes karpathy …` while Hermes still builds its parser, so that loading its code costs no time.

Nothing is run early: the worker waits for the command, which only Hermes' own dispatch hands over. When that never
comes, the channel ends with this process, and the worker with the channel.
"""

import logging
import os
import sys

log = logging.getLogger(__name__)

_started = None


def start(ctx, plugin_dir):
    """For a process whose command line is ours; whatever fails here is reported by the command itself."""
    global _started
    argv = sys.argv[2:]  # Hermes has taken `--profile NAME` out before it loads plugins
    if _started is not None or not _is_for_a_worker(argv):
        return
    try:
        from .cli import works_while_stale
        from .worker import Worker

        worker = Worker(ctx, plugin_dir, terminal=True, allow_stale=works_while_stale(argv))
        _started = argv, worker
        worker.begin(from_shell=True, preload=argv)
    except Exception as error:
        log.debug("karpathy did not start early: %s", error)


def take(argv):
    """The worker that was started for exactly this command line and still runs; else None."""
    global _started
    if _started is None:
        return None
    (expected, worker), _started = _started, None
    if expected == list(argv) and worker.process.poll() is None:
        return worker
    worker.close()
    return None


def _is_for_a_worker(argv):
    from .cli import WITHOUT_WORKER, first_word

    if os.environ.get("KARPATHY_BACKGROUND") == "1":
        return False
    return first_word(argv) not in WITHOUT_WORKER
