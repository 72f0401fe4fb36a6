"""Loads the plugin the way Hermes does, without Hermes, and runs the steps given on stdin as JSON.

Prints one JSON list: what each step returned. A step that raises shows up as {"raised": "..."}.
"""

import asyncio
import importlib.util
import io
import json
import os
import sys
import types
from contextlib import redirect_stderr, redirect_stdout

job = json.load(sys.stdin)
plugin_dir = job["plugin_dir"]
sys.argv = job.get("argv", ["hermes", "chat"])


class Context:
    """Records registrations and plays the host's model."""

    def __init__(self):
        self.hooks, self.commands, self.cli = {}, {}, {}
        self.llm = types.SimpleNamespace(complete=self._complete)

    def register_hook(self, name, callback):
        self.hooks[name] = callback

    def register_command(self, name, handler, description="", args_hint=""):
        self.commands[name] = handler

    def register_cli_command(self, name, help, setup_fn, handler_fn=None, description=""):
        self.cli[name] = (setup_fn, handler_fn)

    def _complete(self, messages, **options):
        model = options.get("model")
        if model == "forbidden":
            raise type("PluginLlmTrustError", (PermissionError,), {})("set allow_model_override")
        if model == "used-up":
            raise RuntimeError("You have reached your usage limit")
        if model == "down":
            raise ConnectionError("no route")
        usage = types.SimpleNamespace(input_tokens=3, output_tokens=2, total_tokens=5, cost_usd=None)
        return types.SimpleNamespace(text=messages[-1]["content"].upper(), provider="p", model="m", usage=usage)


def origin_module(origin):
    module = types.ModuleType("tools.skill_provenance")
    module.get_current_write_origin = lambda: origin
    return module


def captured(run):
    out, err, code = io.StringIO(), io.StringIO(), None
    with redirect_stdout(out), redirect_stderr(err):
        try:
            run()
        except SystemExit as exit:
            code = exit.code
    return {"code": code, "stdout": out.getvalue(), "stderr": err.getvalue()}


def run_cli(argv):
    """Through a parser built like the host's, so that what argparse would swallow is seen."""
    import argparse

    setup_fn, handler = ctx.cli["karpathy"]
    parser = argparse.ArgumentParser(prog="hermes")
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--verbose", "-v", action="store_true")
    sub = parser.add_subparsers(dest="command").add_parser("karpathy")
    setup_fn(sub)
    sub.set_defaults(func=handler)

    def run():
        args = parser.parse_args(["karpathy", *argv])
        args.func(args)

    return captured(run)


def step(what):
    if "hook" in what:
        return ctx.hooks[what["hook"]](**what["payload"])
    if "env" in what:
        os.environ.update(what["env"])
        return None
    if "origin" in what:
        sys.modules["tools.skill_provenance"] = origin_module(what["origin"])
        return None
    if "slash" in what:
        return asyncio.run(ctx.commands["karpathy"](what["slash"]))
    if "cli" in what:
        return run_cli(what["cli"])
    if "set" in what:
        module, name, value = what["set"]
        setattr(importlib.import_module(f"{NAME}.host.{module}"), name, value)
        return None
    if "call" in what:
        module, name, *arguments = what["call"]
        answer = getattr(importlib.import_module(f"{NAME}.host.{module}"), name)(*arguments)
        return answer.decode("ascii") if isinstance(answer, bytes) else answer
    raise ValueError(what)


NAME = "hermes_plugins.karpathy_self_improve"
sys.modules["hermes_plugins"] = types.ModuleType("hermes_plugins")
spec = importlib.util.spec_from_file_location(
    NAME, os.path.join(plugin_dir, "__init__.py"), submodule_search_locations=[plugin_dir]
)
module = importlib.util.module_from_spec(spec)
sys.modules[NAME] = module
spec.loader.exec_module(module)
ctx = Context()
module.register(ctx)

answers = []
for what in job["steps"]:
    try:
        answers.append(step(what))
    except Exception as error:
        answers.append({"raised": f"{type(error).__name__}: {error}"})
print(json.dumps(answers))
