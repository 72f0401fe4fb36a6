"""Loads every plugin as Hermes does and sends turns through its hook dispatch. Prints one JSON document.

    HERMES_HOME=HOME python turns.py TURNS

`register_ms` is the plugin's own register() inside the host's loader, where the host's command table is loaded already
(`commands_ms`: the host imports it, with its terminal toolkit, at the first command of any plugin or at the first
prompt). `node_processes` counts what the turns left running under this home, a few seconds after the last of them.
"""

import json
import os
import sys
import time

from hermes_cli.plugins import PluginManager

PLUGIN = "karpathy-self-improve"


class Timed(PluginManager):
    """The host's loader with a clock around each register()."""

    spent = {}

    def _load_directory_module(self, manifest):
        module = super()._load_directory_module(manifest)
        register = module.register

        def timed(ctx):
            began = time.perf_counter_ns()
            try:
                return register(ctx)
            finally:
                self.spent[manifest.name] = (time.perf_counter_ns() - began) / 1e6

        module.register = timed
        return module


def node_processes(home):
    found = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environ, open(f"/proc/{pid}/comm") as comm:
                found += f"HERMES_HOME={home}".encode() in environ.read() and comm.read().startswith("node")
        except OSError:
            pass
    return found


def main(turns):
    home = os.environ["HERMES_HOME"]
    began = time.perf_counter_ns()
    import hermes_cli.commands  # noqa: F401

    commands = (time.perf_counter_ns() - began) / 1e6
    manager = Timed()
    manager.discover_and_load()
    began = time.perf_counter_ns()
    for turn in range(turns):
        payload = {
            "session_id": f"20260101_120000_{turn // 10:06x}",
            "turn_id": f"turn-{turn}",
            "user_message": "Go on.",
            "is_first_turn": turn % 10 == 0,
            "model": "some-model",
            "platform": "cli",
        }
        manager.invoke_hook("pre_llm_call", **payload)
        manager.invoke_hook("post_llm_call", assistant_response="Done.", **payload)
    took = (time.perf_counter_ns() - began) / 1e6
    time.sleep(3)
    spool = os.path.join(home, "plugin-data", PLUGIN, "spool")
    lines = sum(open(os.path.join(spool, name)).read().count("_llm_call") for name in os.listdir(spool))
    result = {
        "register_ms": manager.spent[PLUGIN],
        "commands_ms": commands,
        "turn_ms": took / turns,
        "events": lines,
        "node_processes": node_processes(home),
    }
    json.dump(result, sys.stdout)


main(int(sys.argv[1]))
