"""`hermes karpathy setup`: builds the runtime outside the plugin directory and switches to it.

Hermes installs a plugin by a shallow clone and replaces the tree at an update, so nothing is built in there.
"""

import argparse
import json
import os
import shutil
import sys
import time

from . import places, runtime
from .build import Build
from .errors import ShimError
from .node import find_node
from .steps import Steps

COPIED = ("package.json", "package-lock.json", "tsconfig.json", "tsup.config.ts", "registrations.json")
COPIED_TREES = ("src", "migrations", "scripts")
# The packages of the build and of the result, measured, with room for npm's own cache.
NEEDED_BYTES = 700 * 1024 * 1024


def main(ctx, plugin_dir, argv):
    options = _parser().parse_args(argv)
    root = places.hermes_root(places.hermes_home())
    steps = Steps(sys.stderr if options.json else sys.stdout)
    started = time.monotonic()
    try:
        state, ready = _set_up(ctx, plugin_dir, root, steps=steps, force=options.force)
    except OSError as error:
        raise ShimError("io", f"Set-up could not write: {error}", "Nothing was switched; repeat it when fixed.") from error
    size = _size_of(ready.directory)
    if options.json:
        answer = {
            "state": state,
            "build": ready.build,
            "version": ready.version,
            "dir": ready.directory,
            "node": ready.node,
            "abi": ready.abi,
            "bytes": size,
            "seconds": round(time.monotonic() - started, 1),
        }
        print(json.dumps(answer))
    else:
        _say(state, ready, size=size, seconds=time.monotonic() - started)
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="hermes karpathy setup",
        description="Builds the runtime of karpathy-self-improve once per machine and version. "
        "Needs Node 20.19 or newer, npm, and a C++ compiler where no ready-made SQLite module can be downloaded.",
    )
    parser.add_argument("--force", action="store_true", help="build again although it is set up")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, progress on stderr")
    return parser


def _set_up(ctx, plugin_dir, root, *, steps, force):
    if not force:
        ready = _ready(ctx, plugin_dir, root)
        if ready is not None:
            return "already", ready
    directory = runtime.runtime_dir(root)
    _make_private(places.data_dir(root))
    os.makedirs(directory, 0o700, exist_ok=True)
    with _only_one(directory):
        node = find_node(root, recorded=_recorded_node(root))
        _refuse_without_space(directory)
        build = runtime.build_id(plugin_dir)
        version = places.version_of(plugin_dir)
        final = os.path.join(directory, f"{build}-{node.abi}")
        temporary = f"{final}.tmp"
        work = Build(temporary, node=node, log_path=os.path.join(directory, "setup.log"))
        _remove_leftovers(directory)
        ready = _runtime(final, build, version, node=node)
        if not force and _starts(ctx, plugin_dir, ready):
            _write_current(root, ready)
            return "ready", ready
        try:
            with steps.step("Copy the sources"):
                _copy_sources(plugin_dir, temporary)
            with steps.step("Install packages and build (npm ci)"):
                work.install_and_build()
            with steps.step("Remove what only the build needed (npm prune)"):
                work.prune()
            with steps.step("Start the worker once"):
                _shake_hands(ctx, plugin_dir, _runtime(temporary, build, version, node=node))
            with steps.step("Switch to it"):
                _put_in_place(temporary, final)
                _write_current(root, ready)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        _remove_unused(directory, keep=final)
        return "ready", ready


def _ready(ctx, plugin_dir, root):
    """What is set up already and really starts; None when something has to be built."""
    try:
        located = runtime.locate(plugin_dir, root)
        if located.stale:
            return None
        node = find_node(root, recorded=located.node, abi=located.abi)
        located = located._replace(node=node.path, abi=node.abi)
        _shake_hands(ctx, plugin_dir, located)
        return located
    except ShimError as error:
        # A wrong choice of Node is the person's to mend; anything else is mended by building.
        if error.code == "bad_config":
            raise
        return None


def _starts(ctx, plugin_dir, candidate):
    """An earlier set-up of the same sources left it there, for example before an update that was taken back."""
    if not os.path.isfile(os.path.join(candidate.directory, "dist", "worker.mjs")):
        return False
    try:
        _shake_hands(ctx, plugin_dir, candidate)
        return True
    except ShimError:
        return False


def _shake_hands(ctx, plugin_dir, candidate):
    from .worker import Worker

    with Worker(ctx, plugin_dir, terminal=False, candidate=candidate) as worker:
        worker.initialize(from_shell=False, selfcheck=True)


def _runtime(directory, build, version, *, node):
    return runtime.Runtime(directory, build, version, node.abi, node.path, False)


def _recorded_node(root):
    current = runtime.current_runtime(root)
    return None if current is None else current.node


def _copy_sources(plugin_dir, temporary):
    os.makedirs(temporary, 0o700)
    for name in COPIED:
        shutil.copyfile(os.path.join(plugin_dir, name), os.path.join(temporary, name))
    for tree in COPIED_TREES:
        shutil.copytree(
            os.path.join(plugin_dir, tree),
            os.path.join(temporary, tree),
            ignore=lambda _folder, names: [name for name in names if name.endswith(".test.ts")],
        )


def _put_in_place(temporary, final):
    if os.path.isdir(final):
        aside = f"{final}.old.tmp"
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(final, aside)
        os.rename(temporary, final)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        os.rename(temporary, final)


def _write_current(root, ready):
    path = runtime.current_path(root)
    temporary = f"{path}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(
            {"build": ready.build, "dir": ready.directory, "node": ready.node, "abi": ready.abi, "version": ready.version},
            file,
        )
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _remove_leftovers(directory):
    """Halves of a set-up that was killed; the lock says that no other one is at work."""
    for name in os.listdir(directory):
        if name.endswith(".tmp"):
            path = os.path.join(directory, name)
            shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else os.unlink(path)


def _remove_unused(directory, *, keep):
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False) and entry.path != keep and not runtime.in_use(entry.path):
            shutil.rmtree(entry.path, ignore_errors=True)


def _refuse_without_space(directory):
    free = shutil.disk_usage(directory).free
    if free < NEEDED_BYTES:
        raise ShimError(
            "io",
            f"Too little disk space under {directory}: {_mb(free)} free, the build needs up to {_mb(NEEDED_BYTES)}.",
            "Free some space and run: hermes karpathy setup",
        )


def _make_private(data):
    os.makedirs(data, 0o700, exist_ok=True)
    os.chmod(data, 0o700)


def _only_one(directory):
    import contextlib
    import fcntl

    @contextlib.contextmanager
    def locked():
        fd = os.open(os.path.join(directory, "setup.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise ShimError("busy", "Another set-up of karpathy-self-improve is running.", "Wait for it to end.") from error
        finally:
            os.close(fd)

    return locked()


def _size_of(directory):
    total = 0
    for folder, _folders, files in os.walk(directory):
        total += sum(os.lstat(os.path.join(folder, name)).st_size for name in files)
    return total


def _say(state, ready, *, size, seconds):
    if state == "already":
        print(f"Already set up: version {ready.version}, build {ready.build}, {ready.directory}")
        print("`hermes karpathy setup --force` builds it again.")
    else:
        print(f"Set up in {seconds:.0f} s: version {ready.version}, build {ready.build}, {_mb(size)} in {ready.directory}")
        print(f"Node: {ready.node}")
        print("A running gateway picks it up at its next command. Next: hermes karpathy init")


def _mb(count):
    return f"{count / 1024 / 1024:.0f} MB"
