"""The last part of `hermes karpathy uninstall`: takes away what the worker listed in `uninstall.json`.

The worker itself lies in what is removed, so this is Python: run by the worker with Hermes' interpreter, and by the
shim when a worker was killed on the way and its runtime is gone already. Whatever is gone counts as removed, so it can
be run again. It prints one JSON document: {"done": [str], "left": [{"what": str, "why": str}]}.
"""

import json
import os
import shutil
import subprocess
import sys

PLUGIN_NAME = "karpathy-self-improve"
SECTION = "karpathy_self_improve"
LIST = "uninstall.json"


def list_path(root):
    return os.path.join(root, "plugin-data", PLUGIN_NAME, LIST)


def finish(path):
    """Named profiles first, then our files, and last the profile that the command runs from."""
    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    done, left = [], []
    homes = sorted(plan["homes"], key=lambda home: home["profile"] == "default")
    for home in (home for home in homes if home["profile"] != "default"):
        _leave_home(home, plan, done, left)
    for one in plan["remove"]:
        _remove(one, done, left)
    for home in (home for home in homes if home["profile"] == "default"):
        _clean_config(home, done, left)
    if not left:
        _remove(path, [], left)
        for folder in (os.path.dirname(path), os.path.dirname(os.path.dirname(path))):
            _remove_if_empty(folder)
        for home in (home for home in homes if home["profile"] == "default"):
            _leave_place(home, plan, done, left)
    return {"done": done, "left": left}


def _leave_home(home, plan, done, left):
    _clean_config(home, done, left)
    _leave_place(home, plan, done, left)


def _leave_place(home, plan, done, left):
    place = os.path.join(home["home"], "plugins", PLUGIN_NAME)
    if home["link"] and os.path.islink(place):
        _attempt(place, lambda: os.unlink(place), done, left)
    if home["directory"] and os.path.isdir(place) and not os.path.islink(place):
        # Hermes' own command first: a newer host keeps records of what is installed.
        _hermes(plan["root"], home["profile"], "plugins", "remove", PLUGIN_NAME)
        if os.path.isdir(place):
            _remove(place, done, left)
        else:
            done.append(place)
    if home["link"] or home["directory"]:
        _remove_if_empty(os.path.dirname(place))


def _clean_config(home, done, left):
    if not home["entries"]:
        return
    file = os.path.join(home["home"], "config.yaml")
    child = subprocess.run(
        [sys.executable, "-P", os.path.abspath(__file__), "--config", *(["--section"] if home["section"] else [])],
        env=_env(home["home"]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if child.returncode == 0:
        done.append(f"{', '.join(home['entries'])} in {file}")
    else:
        why = (child.stderr or child.stdout).strip().splitlines()[-1:] or ["Hermes could not write it"]
        left.append({"what": f"{', '.join(home['entries'])} in {file}", "why": why[0]})


def clean_config(section):
    """Takes our name out of one home's config.yaml by the functions with which Hermes itself writes that file."""
    from hermes_cli.config import load_config, read_raw_config, save_config

    config = load_config()
    if not _without_us(config.get("plugins"), section):
        return
    if isinstance(config["plugins"], dict) and not config["plugins"]:
        del config["plugins"]
    save_config(config)
    if _without_us(read_raw_config().get("plugins"), section):
        raise OSError("Hermes did not write its config.yaml")


def _without_us(plugins, section):
    """True when something was taken out of it."""
    if not isinstance(plugins, dict):
        return False
    changed = False
    for key in ("enabled", "disabled"):
        names = plugins.get(key)
        if isinstance(names, list) and PLUGIN_NAME in names:
            plugins[key] = [name for name in names if name != PLUGIN_NAME]
            changed = True
    entries = plugins.get("entries")
    if isinstance(entries, dict) and entries.pop(PLUGIN_NAME, None) is not None:
        changed = True
        if not entries:
            del plugins["entries"]
    if section and SECTION in plugins:
        del plugins[SECTION]
        changed = True
    return changed


def _remove(path, done, left):
    if not os.path.lexists(path):
        return
    real_directory = os.path.isdir(path) and not os.path.islink(path)
    _attempt(path, lambda: shutil.rmtree(path) if real_directory else os.unlink(path), done, left)


def _attempt(path, act, done, left):
    try:
        act()
        done.append(path)
    except OSError as error:
        if os.path.lexists(path):
            left.append({"what": path, "why": error.strerror or str(error)})


def _remove_if_empty(folder):
    try:
        os.rmdir(folder)
    except OSError:
        pass


def _hermes(root, profile, *args):
    subprocess.run(
        [sys.executable, "-m", "hermes_cli.main", "-p", profile, *args],
        env=_env(root),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _env(home):
    return {**os.environ, "HERMES_HOME": home, "PYTHONDONTWRITEBYTECODE": "1"}


def main(argv):
    if argv[:1] == ["--config"]:
        clean_config("--section" in argv)
        return 0
    print(json.dumps(finish(argv[0])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
