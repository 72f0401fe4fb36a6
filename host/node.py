"""Finds the Node that runs the worker.

Order: KARPATHY_NODE, `node` in the root's config.yaml, the Node recorded at set-up (a gateway under systemd has
no version manager in its PATH), Hermes' own Node, PATH. What a person chose is used or refused, never skipped.
"""

import json
import os
import shutil
import subprocess
from typing import NamedTuple

from .errors import ShimError

MINIMUM = (20, 19)
WANTED = "Node 20.19 or newer"
HINT = (
    "Install it from https://nodejs.org or with your package manager, or name one: KARPATHY_NODE=/path/to/node, "
    "or `node: /path/to/node` under plugins.karpathy_self_improve in the root's config.yaml."
)


class Node(NamedTuple):
    path: str
    version: str
    abi: str


def find_node(root, recorded=None, abi=None):
    """The first usable Node; `abi` is that of the built runtime, whose native module fits no other."""
    cache = os.path.join(root, "plugin-data", "karpathy-self-improve", "runtime", "nodes.json")
    chosen = _chosen(root)
    if chosen is not None:
        path, where = chosen
        node = probe(path, cache)
        if node is None:
            raise ShimError("bad_config", f"{where} names {path}, which is not a Node that runs.", HINT)
        if not _new_enough(node):
            raise ShimError("bad_config", f"{where} names {path}, which is Node {node.version}; needed is {WANTED}.", HINT)
        if abi is not None and node.abi != abi:
            raise _other_abi([node], abi)
        return node

    found = [node for node in (probe(path, cache) for path in _candidates(root, recorded)) if node is not None]
    usable = [node for node in found if _new_enough(node)]
    if not usable:
        if not found:
            raise ShimError("not_set_up", f"No Node was found; needed is {WANTED}.", HINT)
        seen = ", ".join(f"Node {node.version} at {node.path}" for node in found)
        raise ShimError("not_set_up", f"Found {seen}; needed is {WANTED}.", HINT)
    for node in usable:
        if abi is None or node.abi == abi:
            return node
    raise _other_abi(usable, abi)


def probe(path, cache=None):
    """Version and ABI of a Node; None when it does not run. Answers are kept by size and time of the file."""
    resolved = shutil.which(path)
    if resolved is None:
        return None
    resolved = os.path.abspath(resolved)
    try:
        state = os.stat(resolved)
    except OSError:
        return None
    stamp = f"{state.st_size}:{state.st_mtime_ns}"
    known = _read_cache(cache).get(resolved) if cache else None
    if isinstance(known, dict) and known.get("stamp") == stamp:
        return Node(resolved, str(known.get("version")), str(known.get("abi")))
    try:
        shown = subprocess.run(
            [resolved, "-p", "process.versions.node+' '+process.versions.modules"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=20,
            env={name: value for name, value in os.environ.items() if name != "NODE_OPTIONS"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    words = shown.stdout.split()
    if shown.returncode != 0 or len(words) != 2:
        return None
    node = Node(resolved, words[0], words[1])
    if cache:
        _write_cache(cache, resolved, {"stamp": stamp, "version": node.version, "abi": node.abi})
    return node


def _candidates(root, recorded):
    named = [recorded, os.path.join(root, "node", "bin", "node"), shutil.which("node")]
    return [path for index, path in enumerate(named) if path and path not in named[:index]]


def _chosen(root):
    from_env = os.environ.get("KARPATHY_NODE", "").strip()
    if from_env:
        return from_env, "KARPATHY_NODE"
    from_config = _configured(os.path.join(root, "config.yaml"))
    if from_config:
        return os.path.expanduser(from_config), "plugins.karpathy_self_improve.node in config.yaml"
    return None


def _configured(config_path):
    """The `node` key, read leniently: the worker is the one that reports what is wrong in config.yaml."""
    try:
        with open(config_path, encoding="utf-8") as file:
            text = file.read()
        if "karpathy_self_improve" not in text:
            return None
        import yaml

        section = (yaml.safe_load(text).get("plugins") or {}).get("karpathy_self_improve") or {}
        node = section.get("node")
        return node.strip() if isinstance(node, str) and node.strip() else None
    except Exception:
        return None


def _new_enough(node):
    try:
        return tuple(int(part) for part in node.version.split(".")[:2]) >= MINIMUM
    except ValueError:
        return False


def _other_abi(nodes, abi):
    seen = ", ".join(f"Node {node.version} at {node.path} (ABI {node.abi})" for node in nodes)
    return ShimError(
        "stale_build",
        f"karpathy-self-improve was built for another Node (ABI {abi}); found {seen}.",
        "Run: hermes karpathy setup",
    )


def _read_cache(path):
    try:
        with open(path, encoding="utf-8") as file:
            read = json.load(file)
        return read if isinstance(read, dict) else {}
    except (OSError, ValueError):
        return {}


def _write_cache(path, node_path, entry):
    try:
        merged = {**_read_cache(path), node_path: entry}
        temporary = f"{path}.{os.getpid()}.tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(merged, file)
        os.replace(temporary, path)
    except OSError:
        pass
