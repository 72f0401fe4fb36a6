"""Tells the runner what it needs to know about the installed Hermes before it lays a slot.

Run with HERMES_HOME set. `facts PROVIDER` prints {"version", "auth_type", "key_env": [names]}; `guard` prints
{"tool_execution": bool, "llm_execution": bool}: whether the slot's guard was loaded and registered.
"""

import json
import logging
import sys


def facts(provider):
    from hermes_cli.auth import PROVIDER_REGISTRY
    from hermes_cli.banner import VERSION

    known = PROVIDER_REGISTRY.get(provider)
    names = list(getattr(known, "api_key_env_vars", ()) or ()) if known else []
    base_url = getattr(known, "base_url_env_var", "") if known else ""
    return {
        "version": str(VERSION),
        "auth_type": getattr(known, "auth_type", None) if known else None,
        "key_env": names + ([base_url] if base_url else []),
    }


def guard():
    from hermes_cli.plugins import discover_plugins, get_plugin_manager

    discover_plugins()
    found = get_plugin_manager()._middleware
    owned = {kind: any("slot_guard" in callback.__module__ for callback in found.get(kind, [])) for kind in found}
    return {kind: bool(owned.get(kind)) for kind in ("tool_execution", "llm_execution")}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    print(json.dumps(facts(sys.argv[2]) if sys.argv[1] == "facts" else guard()))
