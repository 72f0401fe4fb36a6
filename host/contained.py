"""Process 1 of a container: `python -I -S contained.py ORDER`, with ORDER as JSON.

    {"uid": 50001 | null, "endpoints": [{"address", "port", "socket"}], "limits": {"memory", "processes", "disk"},
     "writable": [directories], "cwd": directory, "argv": [program, ...]}

Descriptor 3 is the directory of the forwarder's sockets, descriptor 4 the trial's record, to which only the slot
guard and this process write. Ends with the code of the program, 128 + its signal, or one of those below. Standard
library only.
"""

import json
import os
import signal
import sys
import time

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, _HERE)
from karpathy_container import limits, network, privileges, syscalls  # noqa: E402

SOCKETS, RECORD = 3, 4
# The exit codes are known to src/evaluation/trialOutcome.ts.
FAILED = 87
LIMIT_REACHED = 88
_LOOK_EVERY = 0.2


def _end(code, reason):
    event = {"event": "ended", "code": code, "reason": reason[:500], "at": int(time.time() * 1000)}
    os.write(RECORD, (json.dumps(event) + "\n").encode())
    os._exit(code)  # and the kernel ends everything else in here


def _become_agent(order):
    privileges.drop_all()
    limits.apply(order["limits"])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    os.chdir(order["cwd"])
    syscalls.refuse()
    os.set_inheritable(RECORD, True)
    os.execve(order["argv"][0], order["argv"], {**os.environ, "KARPATHY_RECORD_FD": str(RECORD)})


def _start(order):
    pid = os.fork()
    if pid != 0:
        return pid
    try:
        _become_agent(order)
    except BaseException as error:  # noqa: B902 - what goes on here would be a second process 1
        sys.stderr.write(f"the container could not start {order['argv'][0]}: {error}\n")
        sys.stderr.flush()
        os._exit(FAILED)


def _reap(agent):
    """The agent's exit code once it has ended; orphans of its programs end here as well."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return None
        if pid == agent:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def main():
    order = json.loads(sys.argv[1])
    for fd in (SOCKETS, RECORD):
        os.set_inheritable(fd, False)
    listening = network.listen(order["endpoints"])
    privileges.become(order["uid"])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # before any thread: they take it over
    agent = _start(order)
    network.Gate(SOCKETS, agent).open(listening)
    watch = limits.Watch(order["limits"], order["writable"])
    while True:
        signal.sigtimedwait({signal.SIGCHLD}, _LOOK_EVERY)
        code = _reap(agent)
        if code is not None:
            os._exit(code)
        used_up = watch.exceeded()
        if used_up is not None:
            _end(LIMIT_REACHED, used_up)


if __name__ == "__main__":
    try:
        main()
    except BaseException as error:  # noqa: B902 - unwatched, nothing may go on
        _end(FAILED, f"the container: {type(error).__name__}: {error}")
