"""Where things lie: the home of the calling thread, the default root, and the plugin's own files under it."""

import hashlib
import os
import re
import sys

PLUGIN_NAME = "karpathy-self-improve"
SUPPORTED = sys.platform != "win32"


def hermes_home():
    """Home of the profile the calling thread works for; the host may switch it per thread."""
    try:
        from hermes_constants import get_hermes_home

        return os.path.abspath(str(get_hermes_home()))
    except Exception:
        configured = os.environ.get("HERMES_HOME", "").strip()
        return os.path.abspath(configured or os.path.join(os.path.expanduser("~"), ".hermes"))


def hermes_root(home):
    """The default Hermes root, which holds what all profiles share."""
    parent = os.path.dirname(home)
    if os.path.basename(parent) == "profiles":
        return os.path.dirname(parent)
    try:
        from hermes_constants import get_default_hermes_root

        return os.path.abspath(str(get_default_hermes_root()))
    except Exception:
        return home


def profile_name(home):
    return os.path.basename(home) if os.path.basename(os.path.dirname(home)) == "profiles" else "default"


def data_dir(root):
    return os.path.join(root, "plugin-data", PLUGIN_NAME)


def marker_key(home):
    """First 16 hex digits of the SHA-256 of the home's real path, as the worker names the markers."""
    return hashlib.sha256(os.path.realpath(home).encode("utf-8")).hexdigest()[:16]


def version_of(plugin_dir):
    """The version in plugin.yaml, without needing a YAML parser."""
    with open(os.path.join(plugin_dir, "plugin.yaml"), encoding="utf-8") as file:
        found = re.search(r"^version:\s*['\"]?([^'\"\s]+)", file.read(), re.MULTILINE)
    return found.group(1) if found else "0"


def host_version():
    try:
        import hermes_cli

        return str(hermes_cli.__version__)
    except Exception:
        return None


def in_gateway():
    """True where slash commands come from messaging platforms, whose sender the host does not name.

    Doubt counts as a gateway: that is the side on which fewer commands are allowed.
    """
    if "tui_gateway.server" in sys.modules:
        return False
    return "gateway" in sys.argv[1:3] or "gateway.run" in sys.modules
