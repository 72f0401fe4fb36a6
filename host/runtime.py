"""Which built worker to run, and whether it was built from the sources that lie here."""

import hashlib
import json
import os
from typing import NamedTuple

from . import places
from .errors import ShimError, not_set_up

SINGLE_FILES = ("package-lock.json", "package.json", "tsup.config.ts")
TREES = ("migrations", "src")


class Runtime(NamedTuple):
    directory: str
    build: str
    version: str
    abi: str | None
    node: str | None
    stale: bool


def build_id(plugin_dir):
    """First 16 hex digits of a SHA-256 over path and content of every source file; scripts/build-id.mjs agrees."""
    digest = hashlib.sha256()
    for relative in source_files(plugin_dir):
        with open(os.path.join(plugin_dir, relative), "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
        digest.update(f"{relative}\n{content}\n".encode("utf-8"))
    return digest.hexdigest()[:16]


def source_files(plugin_dir):
    """Relative paths with `/`, sorted by code point; tests are no part of a build."""
    found = [name for name in SINGLE_FILES if os.path.isfile(os.path.join(plugin_dir, name))]
    for tree in TREES:
        for folder, _folders, files in os.walk(os.path.join(plugin_dir, tree)):
            inside = os.path.relpath(folder, plugin_dir).replace(os.sep, "/")
            found += [f"{inside}/{name}" for name in files if is_source(name)]
    return sorted(found)


def is_source(name):
    return not name.startswith(".") and not name.endswith((".test.ts", "~"))


def locate(plugin_dir, root):
    """The runtime to start. `stale` means that the sources have changed since it was built."""
    build = build_id(plugin_dir)
    in_place = in_place_runtime(plugin_dir)
    if in_place is not None and in_place.build == build:
        return in_place
    current = current_runtime(root)
    if current is not None:
        return current._replace(stale=current.build != build)
    if in_place is not None:
        raise ShimError(
            "stale_build",
            f"The sources in {plugin_dir} have changed since they were built.",
            "Run `npm run build` there, or: hermes karpathy setup",
        )
    raise not_set_up()


def in_place_runtime(plugin_dir):
    """A checkout that was built where it lies: `dist` and the installed packages."""
    built = _read_json(os.path.join(plugin_dir, "dist", "build.json"))
    if not built or not _is_complete(plugin_dir):
        return None
    return Runtime(plugin_dir, str(built.get("build")), str(built.get("version")), _opt(built.get("abi")), None, False)


def current_runtime(root):
    recorded = _read_json(current_path(root))
    if not recorded or not isinstance(recorded.get("dir"), str):
        return None
    # Recorded by its full path; after the whole root was moved it lies under the same name here.
    moved = os.path.join(runtime_dir(root), os.path.basename(recorded["dir"]))
    directory = next((path for path in (recorded["dir"], moved) if _is_complete(path)), None)
    if directory is None:
        return None
    return Runtime(
        directory,
        str(recorded.get("build")),
        str(recorded.get("version")),
        _opt(recorded.get("abi")),
        _opt(recorded.get("node")),
        False,
    )


def runtime_dir(root):
    return os.path.join(places.data_dir(root), "runtime")


def current_path(root):
    return os.path.join(runtime_dir(root), "current.json")


def hold(directory):
    """Marks a runtime as in use for as long as the returned descriptor is open, so that set-up leaves it alone."""
    import fcntl

    fd = os.open(_use_lock(directory), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_SH)
    return fd


def in_use(directory):
    import fcntl

    try:
        fd = os.open(_use_lock(directory), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def _use_lock(directory):
    return os.path.join(directory, "dist", ".in-use")


def _is_complete(directory):
    return os.path.isfile(os.path.join(directory, "dist", "worker.mjs")) and os.path.isdir(
        os.path.join(directory, "node_modules", "better-sqlite3")
    )


def _read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            read = json.load(file)
        return read if isinstance(read, dict) else None
    except (OSError, ValueError):
        return None


def _opt(value):
    return value if isinstance(value, str) and value else None
