"""Entry of the warm runner's process: `python -P warm_server.py [--yolo] PROGRAM -p PROFILE chat`.

Standard input and output carry the requests (karpathy_warm/server.py); what the host prints goes to standard error.
"""

import os
import signal
import sys
import threading
import time

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, _HERE)
from karpathy_warm import leaving, linux, preload, server  # noqa: E402

sys.path.remove(_HERE)  # the host is to find its own modules only


def _take_control():
    """Moves the pipes out of the way, so that nothing the host prints or reads can meet them."""
    control_in, control_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return control_in, control_out


def _check(control):
    """Only what was started for it may be alive at a fork: a thread's locks and a file's position would be copied."""
    used = linux.usage()
    if threading.active_count() != 1 or used["threads"] != 1:
        names = ", ".join(thread.name for thread in threading.enumerate())
        raise preload.PreloadError(f"threads are running after the import: {used['threads']} ({names})")
    root = os.path.dirname(os.environ["HERMES_HOME"])
    listing = f"/proc/{os.getpid()}/fd"
    for fd in os.listdir(listing):
        try:
            target = os.readlink(os.path.join(listing, fd))
        except OSError:
            continue
        if int(fd) > 2 and int(fd) not in control and (target.startswith(root) or target.startswith("socket:")):
            raise preload.PreloadError(f"{target} is open after the import")
    return used


def _guard():
    """What host/slot_facts.py says, asked of the process a trial would run in."""
    import importlib.util
    import json

    spec = importlib.util.spec_from_file_location("karpathy_slot_facts", os.path.join(_HERE, "slot_facts.py"))
    facts = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(facts)
    print(json.dumps(facts.guard()))
    return 0


def main():
    """Returns in a trial's child only: what the child is to call."""
    began = time.monotonic()
    parent = os.getppid()
    linux.die_with(parent, signal.SIGTERM)
    control = _take_control()
    yolo, argv = sys.argv[1] == "--yolo", [arg for arg in sys.argv[1:] if arg != "--yolo"]
    serving = server.Server(*control)
    try:
        host = preload.Preloaded(argv, yolo=yolo)
        used = _check(control)
        linux.adopt_orphans()
        sys.stdout.flush()  # or every child would print once more what the import printed
        os.chdir("/")  # the slot's directory goes away with each trial
    except Exception as error:  # noqa: B902 - whatever it is, the runner goes on without us and says why
        serving.say({"event": "failed", "reason": f"{type(error).__name__}: {error}"[:500]})
        os._exit(1)
    serving.say({"event": "ready", "pid": os.getpid(), "ms": int((time.monotonic() - began) * 1000), **used})
    trial = serving.serve()
    if trial.call == "guard":
        host.arm()
        return _guard
    sys.argv = [argv[0], *trial.args[host.stripped :]]
    host.arm()
    return host.main


if __name__ == "__main__":
    call = main()
    try:
        code = call()
    except SystemExit as error:
        code = error.code
    leaving.leave(code)
