"""`hermes karpathy install`: makes this one install work in other profiles, by a link and Hermes' own enabling."""

import argparse
import json
import os
import re
import subprocess
import sys

from . import places
from .errors import ShimError
from .wake import hermes_command

_PROFILE = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")


def main(plugin_dir, argv):
    options = _parser().parse_args(argv)
    home = places.hermes_home()
    root = places.hermes_root(home)
    names = _names(options, root)
    states = [(name, _state(root, name, plugin_dir)) for name in names]
    for name, state in states:
        if state == "foreign":
            raise ShimError(
                "bad_usage",
                f"Profile {name} has a copy of its own: {_link(root, name)}",
                f"Remove it first: hermes -p {name} plugins remove {places.PLUGIN_NAME}",
            )
    _ask(states, options)
    done = [_install(root, name, state=state, plugin_dir=plugin_dir) for name, state in states]
    if options.json:
        print(json.dumps({"profiles": done}))
    else:
        for one in done:
            print(f"{one['name']}: {one['link']}, enabled. Takes effect with the next session there.")
        if done:
            print(f"Next: hermes -p {done[0]['name']} karpathy init")
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="hermes karpathy install",
        description="Links the plugin into other profiles and enables it there, so that one install serves all.",
        epilog="Hermes itself takes `--profile` and `-p` anywhere in a command line, so name the profiles plainly: "
        "`hermes karpathy install work`. After `--` the option reaches us: `install -- --profile work`.",
    )
    parser.add_argument("profiles", nargs="*", metavar="NAME", help="profiles to install into")
    parser.add_argument("--profile", action="append", default=[], metavar="NAME", help="the same, after `--`")
    parser.add_argument("--all", action="store_true", help="every profile of this Hermes root")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout; doesn't ask, so it needs --yes")
    parser.parse_args = _with_double_dash(parser.parse_args)
    return parser


def _with_double_dash(parse_args):
    """A leading `--` is only there to keep the host from reading what follows."""
    return lambda argv: parse_args([word for word in argv if word != "--"])


def _names(options, root):
    known = _all_profiles(root)
    if options.all:
        if not known:
            raise ShimError("bad_usage", f"There is no named profile under {root}.", "`hermes profile create NAME` makes one.")
        return known
    home = places.hermes_home()
    asked = [*options.profiles, *options.profile]
    if not asked and places.profile_name(home) != "default":
        # `--profile NAME` was read by Hermes, which loaded us from that profile: it is there already.
        asked = [places.profile_name(home)]
    if not asked:
        raise ShimError(
            "bad_usage",
            "Say which profiles: hermes karpathy install NAME … or --all",
            f"Profiles here: {', '.join(known) or 'none besides the default one'}.",
        )
    for name in asked:
        if name not in known:
            raise ShimError(
                "unknown_profile",
                f"There is no profile '{name}' under {root}.",
                f"Known: {', '.join(known) or 'none'}. `hermes profile create {name}` makes one.",
            )
    return list(dict.fromkeys(asked))


def _all_profiles(root):
    try:
        names = sorted(os.listdir(os.path.join(root, "profiles")))
    except OSError:
        return []
    return [name for name in names if _PROFILE.match(name) and os.path.isdir(_home(root, name))]


def _home(root, name):
    return os.path.join(root, "profiles", name)


def _link(root, name):
    return os.path.join(_home(root, name), "plugins", places.PLUGIN_NAME)


def _state(root, name, plugin_dir):
    """`linked`, `absent`, or `foreign` for anything there that is not a link of ours."""
    link = _link(root, name)
    if os.path.exists(link) and os.path.realpath(link) == os.path.realpath(plugin_dir):
        return "linked"
    if os.path.islink(link) and not os.path.exists(link):
        return "dangling"
    return "foreign" if os.path.lexists(link) else "absent"


def _ask(states, options):
    if options.yes or all(state == "linked" for _name, state in states):
        return
    names = ", ".join(name for name, _state in states)
    if options.json or not sys.stdin.isatty():
        raise ShimError("needs_person", f"This would link and enable the plugin in: {names}.", "Add --yes to do it without a question.")
    print(f"Link karpathy-self-improve into these profiles and enable it there: {names}? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ShimError("needs_person", "Nothing was changed.")


def _install(root, name, *, state, plugin_dir):
    link = _link(root, name)
    if state == "dangling":
        os.unlink(link)
    if state != "linked":
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink(_link_target(root, link, plugin_dir), link)
    try:
        _enable(root, name)
    except ShimError:
        if state != "linked":
            os.unlink(link)
        raise
    return {"name": name, "link": "already linked" if state == "linked" else "linked", "path": link, "enabled": True}


def _link_target(root, link, plugin_dir):
    """Relative while both lie under one root, so that a moved or restored root keeps working."""
    beside = os.path.join(root, "plugins", places.PLUGIN_NAME)
    if os.path.realpath(beside) == os.path.realpath(plugin_dir):
        return os.path.relpath(beside, os.path.dirname(link))
    return plugin_dir


def _enable(root, name):
    """Hermes' own command, so that its config file is written by it alone. Its question gets no answer: a no."""
    env = {**os.environ, "HERMES_HOME": root}
    enabled = subprocess.run(
        [*hermes_command(), "-p", name, "plugins", "enable", places.PLUGIN_NAME],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=env,
    )
    if enabled.returncode != 0:
        said = (enabled.stdout + enabled.stderr).strip()[-600:]
        raise ShimError("host_failed", f"Hermes could not enable the plugin in profile {name}:\n{said}")
