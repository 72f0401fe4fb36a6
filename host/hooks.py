"""The two hooks. They run on the user's critical path: one stat, then at most one appended line; they never raise."""

import json
import os
import sys
import time

from . import places

FORMAT = 1
NOT_EXECUTED = (
    "The user's text is a command of the karpathy-self-improve plugin, but it reached you instead of the plugin "
    "and was not executed (this happens in `hermes chat -q` and while a turn is running). Do not carry it out "
    "yourself. Tell the user that the command was not executed and that they can repeat it in an interactive chat "
    "when no turn is running, or run `hermes karpathy` in a terminal."
)


class _Home:
    """What follows from a home: looked up once, because the host's own look-ups cost up to 0.2 ms each."""

    def __init__(self, home):
        key = places.marker_key(home)
        self.home = home
        self.root = places.hermes_root(home)
        data = places.data_dir(self.root)
        self.spool = os.path.join(data, "spool")
        self.enabled = os.path.join(data, "markers", "enabled", key)
        self.live = os.path.join(data, "markers", "live", key)
        self.stamp = os.path.join(data, "tick.stamp")
        self.profiles_set_up = os.path.join(data, "markers", "enabled")
        self.writer = None


_homes = {}


def _home_of_caller():
    home = places.hermes_home()
    known = _homes.get(home)
    if known is None:
        known = _homes[home] = _Home(home)
    return known


def _recorded():
    """Homes this process has recorded itself for; outside the module, which the host may execute again."""
    return sys.__dict__.setdefault("_karpathy_self_improve_recorded", set())


def pre_llm_call(**payload):
    try:
        _on_hook("pre_llm_call", payload)
        text = payload.get("user_message")
        if isinstance(text, str) and _is_our_command(text):
            return {"context": NOT_EXECUTED}
    except Exception:
        pass
    return None


def post_llm_call(**payload):
    try:
        place = _on_hook("post_llm_call", payload)
        if place is not None and not _is_trial() and _exists(place.live):
            from . import wake

            wake.wake_tick(place.home, place.stamp)
    except Exception:
        pass
    return None


def record_process(version):
    """Writes once per process and home that this process counts sessions; `doctor` misses the line otherwise."""
    try:
        place = _home_of_caller()
        if places.SUPPORTED and not _is_trial() and _exists(place.profiles_set_up) and "karpathy" not in sys.argv[1:3]:
            _record(place, version)
    except Exception:
        pass


def hook_event(hook, payload, home, origin, event_id, now_ms):
    """The spool event of one hook call, keys in the order of the line; None when there is no session."""
    session = _text(payload.get("session_id"))
    if session is None:
        return None
    first = payload.get("is_first_turn")
    return {
        "v": FORMAT,
        "id": event_id,
        "hook": hook,
        "session_id": session,
        "turn_id": _text(payload.get("turn_id")),
        "home": home,
        "is_first_turn": first if isinstance(first, bool) else None,
        "model": _text(payload.get("model")),
        "platform": _text(payload.get("platform")),
        "write_origin": origin,
        "trial": _is_trial(),
        "at": now_ms,
    }


def encode(event):
    """One line: no spaces, non-ASCII escaped. The TypeScript bodies write the same bytes."""
    return json.dumps(event, separators=(",", ":")).encode("ascii") + b"\n"


def _on_hook(hook, payload):
    if not places.SUPPORTED:
        return None
    place = _home_of_caller()
    if not _exists(place.enabled):
        return None
    event = hook_event(hook, payload, place.home, _write_origin(), _new_id(), _now_ms())
    if event is None:
        return None
    if (os.getpid(), place.home) not in _recorded():
        plugin_dir = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
        _record(place, places.version_of(plugin_dir))
    _append(place, encode(event))
    return place


def _record(place, version):
    me = (os.getpid(), place.home)
    if me in _recorded():
        return
    _recorded().add(me)
    event = {
        "v": FORMAT,
        "id": _new_id(),
        "hook": "process",
        "pid": me[0],
        "home": place.home,
        "build": _build_in_use(place),
        "version": version,
        "host_version": places.host_version(),
        "argv": _program(),
        "at": _now_ms(),
    }
    _append(place, encode(event))


def _program():
    """What kind of process this is, as `hermes gateway run`; never the rest, where a prompt may stand."""
    words = [os.path.basename(sys.argv[0]), *sys.argv[1 : 3 if sys.argv[1:2] in (["gateway"], ["cron"]) else 2]]
    return " ".join(word for index, word in enumerate(words) if index == 0 or word.isalpha() and word.islower())[:80]


def _build_in_use(place):
    try:
        with open(os.path.join(os.path.dirname(place.spool), "runtime", "current.json"), encoding="utf-8") as file:
            return _text(json.load(file).get("build"))
    except (OSError, ValueError, AttributeError):
        return None


def _append(place, line):
    """One O_APPEND write to this process's file of the hour. A short write ends the file: its tail is torn."""
    hour = time.strftime("%Y%m%d%H", time.gmtime())
    if place.writer is None or place.writer[0] != (hour, os.getpid()):
        name = f"{hour}-{os.urandom(8).hex()}.ndjson"
        place.writer = ((hour, os.getpid()), os.path.join(place.spool, name))
    path = place.writer[1]
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.makedirs(place.spool, 0o700, exist_ok=True)
        fd = os.open(path, flags, 0o600)
    try:
        if os.write(fd, line) != len(line):
            place.writer = None
    finally:
        os.close(fd)


def _write_origin():
    """`background_review` for the host's own review turns. Not imported yet means that no such turn began."""
    module = sys.modules.get("tools.skill_provenance")
    return None if module is None else _text(module.get_current_write_origin())


def _is_our_command(text):
    command = text.lstrip()
    return command == "/karpathy" or command.startswith(("/karpathy ", "/karpathy\n", "/karpathy\t"))


def _is_trial():
    return os.environ.get("KARPATHY_TRIAL") == "1"


def _exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def _text(value):
    return value if isinstance(value, str) and value else None


def _new_id():
    return os.urandom(16).hex()


def _now_ms():
    return time.time_ns() // 1_000_000
