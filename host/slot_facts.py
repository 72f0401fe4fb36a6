"""Tells the runner what it needs to know about the installed Hermes before it lays a slot.

Run with HERMES_HOME set. `facts PROVIDER` prints {"version", "auth_type", "key_env": [names]}; `guard` prints
{"tool_execution": bool, "llm_execution": bool}: whether the slot's guard was loaded and registered; `container`
prints {"base_url": str, "code": [directories]}: whom the model's calls go to, and where the host's programs lie.
"""

import json
import logging
import os
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


def container():
    import hermes_cli
    from hermes_cli.runtime_provider import resolve_runtime_provider

    package = os.path.dirname(os.path.dirname(os.path.abspath(hermes_cli.__file__)))
    interpreter = [os.path.dirname(os.path.realpath(sys.executable)), sys.prefix, sys.base_prefix, sys.exec_prefix]
    paths = [path for path in (*interpreter, *sys.path, package) if path and os.path.isdir(path)]
    return {
        "base_url": str(resolve_runtime_provider().get("base_url") or ""),
        "code": sorted({path for given in paths for path in (os.path.abspath(given), os.path.realpath(given))}),
    }


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asked = sys.argv[1]
    print(json.dumps(facts(sys.argv[2]) if asked == "facts" else container() if asked == "container" else guard()))
