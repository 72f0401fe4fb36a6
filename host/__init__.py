"""The part that Hermes loads: hooks, the slash command and the CLI command.

Only what a hook needs is imported here; many short-lived Hermes processes load this and never run a command.
"""

import json
import os
import sys

from . import hooks, places

PLUGIN_DIR = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))

_HOOKS = {"pre_llm_call": hooks.pre_llm_call, "post_llm_call": hooks.post_llm_call}


def register(ctx):
    """Registers exactly what registrations.json lists; the TypeScript `register` is where that comes from."""
    if sys.argv[1:2] == ["karpathy"]:
        from . import early

        early.start(ctx, PLUGIN_DIR)
    with open(os.path.join(PLUGIN_DIR, "registrations.json"), encoding="utf-8") as file:
        listed = json.load(file)
    for name in listed["hooks"]:
        ctx.register_hook(name, _HOOKS[name])
    for command in listed["commands"]:
        ctx.register_command(
            command["name"],
            _slash_handler(ctx),
            description=command["description"],
            args_hint=command["args_hint"],
        )
    for command in listed["cli_commands"]:
        ctx.register_cli_command(
            command["name"],
            help=command["help"],
            setup_fn=_pass_everything_through,
            handler_fn=_cli_handler(ctx),
            description=command["description"],
        )
    hooks.record_process(places.version_of(PLUGIN_DIR))


def _slash_handler(ctx):
    async def karpathy(raw_args=""):
        from .slash import answer

        return await answer(ctx, PLUGIN_DIR, raw_args)

    return karpathy


def _cli_handler(ctx):
    def karpathy(args):
        from .cli import main

        main(ctx, PLUGIN_DIR, getattr(args, "karpathy_argv", []))

    return karpathy


def _pass_everything_through(parser):
    """Hands every argument to our own CLI, `--help` and unknown options included.

    argparse would answer `--help` itself and refuse `--json status`, so this parser's parsing is replaced.
    """
    import argparse

    def parse_known_args(args=None, namespace=None):
        namespace = argparse.Namespace() if namespace is None else namespace
        namespace.func = parser.get_default("func")
        namespace.karpathy_argv = list(args or [])
        return namespace, []

    parser.parse_known_args = parse_known_args
    parser.parse_known_intermixed_args = parse_known_args
