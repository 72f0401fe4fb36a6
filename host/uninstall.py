"""`hermes karpathy uninstall` where the worker can't run: goes on with one that was killed, or says what to do by hand."""

import json
import os
import sys

from . import leave, places
from .errors import ShimError


def without_worker(plugin_dir, argv, error):
    """@raises ShimError with every place to remove, when nobody has agreed to a list yet"""
    root = places.hermes_root(places.hermes_home())
    agreed = leave.list_path(root)
    if "--dry-run" in argv or not os.path.isfile(agreed):
        raise ShimError(error.code, error.message, _hint(root, error.hint)) from error
    try:
        ended = leave.finish(agreed)
    except (ValueError, KeyError, TypeError, OSError):
        raise ShimError(error.code, error.message, _hint(root, error.hint)) from error
    if "--json" in argv:
        print(json.dumps(ended))
    else:
        print("Went on with the uninstall that was interrupted.")
        for path in ended["done"]:
            print(f"  removed {path}")
        for one in ended["left"]:
            print(f"  not removed: {one['what']}: {one['why']}", file=sys.stderr)
    return 1 if ended["left"] else 0


def _hint(root, way):
    data = places.data_dir(root)
    homes = [root, *_profiles(root)]
    plugins = [os.path.join(home, "plugins", places.PLUGIN_NAME) for home in homes]
    database = os.path.join(root, f"{places.PLUGIN_NAME}.db")
    found = [path for path in [*plugins, data, database, f"{database}-wal", f"{database}-shm"] if os.path.lexists(path)]
    snapshots = os.path.join(data, "snapshots")
    lines = [
        *([way] if way else []),
        "Or by hand:",
        *(
            [f"  - {snapshots} holds the texts from before each edit (N-prior-…, N the experiment); copy back what you want."]
            if os.path.isdir(snapshots)
            else []
        ),
        f"  - take {places.PLUGIN_NAME} out of plugins.enabled in config.yaml of: {', '.join(homes)}",
        *[f"  - remove {path}{' (a link)' if os.path.islink(path) else ''}" for path in found],
    ]
    return "\n".join(lines)


def _profiles(root):
    folder = os.path.join(root, "profiles")
    try:
        return sorted(entry.path for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return []
