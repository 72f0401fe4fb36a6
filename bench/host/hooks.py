"""Times the plugin's hooks against the least that could write the same line. Prints one JSON document.

    python hooks.py PLUGIN_DIR SET_UP_HOME OTHER_HOME CALLS WRITERS

The profile at SET_UP_HOME has its `enabled` marker, the one at OTHER_HOME has not. All figures are nanoseconds of one
call; what is compared is called in turn, so that whatever else the machine does meets both.
"""

import importlib.util
import json
import os
import sys
import time


def load_plugin(plugin_dir):
    spec = importlib.util.spec_from_file_location(
        "karpathy_plugin", os.path.join(plugin_dir, "__init__.py"), submodule_search_locations=[plugin_dir]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["karpathy_plugin"] = module
    spec.loader.exec_module(module)
    return sys.modules["karpathy_plugin.host.hooks"]


TURN = {
    "session_id": "20260101_120000_abcdef",
    "turn_id": "turn-1",
    "user_message": "What is the weather like, and what should I wear for it?",
    "is_first_turn": False,
    "model": "some-model",
    "platform": "cli",
}


def append_same_line(event, path):
    """The baseline: what anything that records the event has to do."""
    line = json.dumps(event, separators=(",", ":")).encode("ascii") + b"\n"
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, line)
    finally:
        os.close(fd)


def timed(call, *args, **kwargs):
    began = time.perf_counter_ns()
    call(*args, **kwargs)
    return time.perf_counter_ns() - began


def one_writer(hooks, set_up, other, calls, spool):
    event = hooks.hook_event("pre_llm_call", TURN, set_up, None, "0" * 32, 1_700_000_000_000)
    path = os.path.join(spool, f"baseline-{os.getpid()}.ndjson")
    nothing = os.path.join(other, "no-such-marker")
    figures = {"baseline": [], "pre_llm_call": [], "post_llm_call": [], "stat": [], "not set up": []}
    for _ in range(calls):
        os.environ["HERMES_HOME"] = set_up
        figures["baseline"].append(timed(append_same_line, event, path))
        figures["pre_llm_call"].append(timed(hooks.pre_llm_call, **TURN))
        figures["post_llm_call"].append(timed(hooks.post_llm_call, **TURN))
        os.environ["HERMES_HOME"] = other
        figures["stat"].append(timed(os.path.exists, nothing))
        figures["not set up"].append(timed(hooks.pre_llm_call, **TURN))
    return figures


def with_writers(hooks, arguments, writers):
    """The figures of all writers, which run at the same time."""
    readers = []
    for _ in range(writers):
        read, write = os.pipe()
        if os.fork() == 0:
            os.close(read)
            with os.fdopen(write, "w") as out:
                json.dump(one_writer(hooks, *arguments), out)
            os._exit(0)
        os.close(write)
        readers.append(read)
    merged = {}
    for read in readers:
        with os.fdopen(read) as source:
            for name, values in json.load(source).items():
                merged.setdefault(name, []).extend(values)
    for _ in readers:
        os.wait()
    return merged


def summary(values):
    values = sorted(values)
    return {"median": values[len(values) // 2], "p99": values[len(values) * 99 // 100], "calls": len(values)}


def main(plugin_dir, set_up, other, calls, writers):
    hooks = load_plugin(plugin_dir)
    spool = os.path.join(set_up, "bench")
    os.makedirs(spool, exist_ok=True)
    arguments = (set_up, other, int(calls), spool)
    one_writer(hooks, set_up, other, 200, spool)
    result = {
        "alone": {name: summary(values) for name, values in one_writer(hooks, *arguments).items()},
        "writers": {name: summary(values) for name, values in with_writers(hooks, arguments, int(writers)).items()},
    }
    json.dump(result, sys.stdout)


main(*sys.argv[1:])
