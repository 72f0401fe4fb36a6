"""`hermes karpathy …`: set-up and install are done here, everything else by the worker in this terminal."""

import gc
import logging
import os
import signal
import sys

from . import places
from .errors import ShimError, report

log = logging.getLogger(__name__)

# With a runtime of older sources these still answer: seeing what is live and undoing it must not need a build.
WHILE_STALE = frozenset(
    "status show diff history snapshot revert finish resolve pause jobs tick work uninstall".split()
)

# Done in Python: they make, or link to, what a worker runs on.
WITHOUT_WORKER = ("setup", "install")

HELP_BEFORE_SETUP = """usage: hermes karpathy COMMAND …

Improves this profile's SOUL.md one proven sentence at a time. Not set up yet; all commands follow after that.

  setup      build the runtime (needs Node 20.19 or newer and npm; once per machine)
  install    link the plugin into other profiles
  uninstall  remove the plugin; before set-up it says what to remove by hand

Run: hermes karpathy setup
"""


def main(ctx, plugin_dir, argv):
    """Ends the process with the exit code, because the host ignores what a handler returns."""
    as_json = "--json" in argv
    try:
        code = _run(ctx, plugin_dir, argv)
    except ShimError as error:
        if error.code == "not_set_up" and ("--help" in argv or "-h" in argv):
            print(HELP_BEFORE_SETUP, end="")
            sys.exit(0)
        if error.code == "not_set_up" and "--version" in argv:
            print(places.version_of(plugin_dir))
            sys.exit(0)
        code = report(error, as_json)
    except KeyboardInterrupt:
        code = report(ShimError("interrupted", "Interrupted."), as_json)
    if sys.stdout is not None:  # None when the caller closed it
        sys.stdout.flush()
    # The interpreter would look through all of Hermes for cycles before it goes. What is registered for the
    # exit, and what has no other owner, ends as ever.
    gc.freeze()
    sys.exit(code)


def _run(ctx, plugin_dir, argv):
    if not places.SUPPORTED:
        raise ShimError("not_set_up", "karpathy-self-improve runs on Linux, macOS and WSL2, not on native Windows.")
    command = first_word(argv)
    if command in WITHOUT_WORKER:
        at = argv.index(command)
        rest = argv[:at] + argv[at + 1 :]
        if command == "setup":
            from .setup import main as setup

            return setup(ctx, plugin_dir, rest)
        from .install import main as install

        return install(plugin_dir, rest)
    if command == "uninstall":
        return _uninstall(ctx, plugin_dir, argv)
    if command == "tick" and os.environ.get("KARPATHY_BACKGROUND") == "1":
        return _tick_in_background(ctx, plugin_dir)
    return _run_in_terminal(ctx, plugin_dir, argv)


def _uninstall(ctx, plugin_dir, argv):
    """Leaving must be possible when the worker is broken, or gone because an uninstall was killed on its way."""
    try:
        return _run_in_terminal(ctx, plugin_dir, argv)
    except ShimError as error:
        if "--help" in argv or "-h" in argv:
            raise
        from .uninstall import without_worker

        return without_worker(plugin_dir, argv, error)


def first_word(argv):
    return next((word for word in argv if not word.startswith("-")), None)


def works_while_stale(argv):
    return first_word(argv) in WHILE_STALE


def _run_in_terminal(ctx, plugin_dir, argv):
    from . import early
    from .rpc import ChannelClosed, RpcError
    from .worker import Worker

    started = early.take(argv)
    cwd = _working_directory()
    with started or Worker(ctx, plugin_dir, terminal=True, allow_stale=works_while_stale(argv)) as worker:
        restore = _leave_signals_to(worker.process)
        try:
            worker.initialize(from_shell=True)
            if worker.runtime.stale:
                print("The plugin was updated; run `hermes karpathy setup` when convenient.", file=sys.stderr)
            answer = worker.channel.call("cli", {"argv": list(argv), "cwd": cwd})
            return int(answer["exit_code"])
        except ChannelClosed:
            return _end_of(worker.process.wait())
        except RpcError as error:
            raise ShimError("internal", f"Unexpected failure: {error.message}") from error
        finally:
            restore()


def _tick_in_background(ctx, plugin_dir):
    """The tick a hook woke: no terminal, so what the worker says goes to the host's log."""
    from .rpc import ChannelClosed, RpcError
    from .worker import Worker

    with Worker(ctx, plugin_dir, terminal=False, allow_stale=True) as worker:
        worker.initialize(from_shell=False)
        try:
            worker.channel.call("tick", {})
        except (ChannelClosed, RpcError) as error:
            log.warning("karpathy tick failed: %s", error)
            return 1
    return 0


def _leave_signals_to(process):
    """Ctrl-C reaches both processes; the worker is the one that stops in an orderly way.

    A handler that does nothing, not SIG_IGN: an ignored signal would stay ignored in children.
    """
    previous = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
    }

    def restore():
        for number, handler in previous.items():
            signal.signal(number, handler)

    return restore


def _working_directory():
    try:
        return os.getcwd()
    except OSError as error:
        raise ShimError("bad_usage", "The current directory no longer exists.", "Change to another one and repeat.") from error


def _end_of(returncode):
    """The exit code of a worker that went away before it answered."""
    if returncode in (-signal.SIGINT, -signal.SIGTERM):
        return 130
    if returncode < 0:
        raise ShimError(
            "internal",
            f"The command was ended by signal {-returncode} ({signal.Signals(-returncode).name}).",
            "What was finished is kept: hermes karpathy status says how it goes on, up to a minute later.",
        )
    return returncode or 1
