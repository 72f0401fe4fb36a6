"""What the trial has used so far, from the model's own answers and from the slot's state.db, whichever is more."""

import sqlite3
import threading

_INPUT = ("prompt_tokens", "input_tokens")
_OUTPUT = ("completion_tokens", "output_tokens")
# Anthropic states them beside input_tokens; in the OpenAI form prompt_tokens contains them.
_CACHED = ("cache_read_input_tokens", "cache_creation_input_tokens")
_STORED = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def _field(source, name):
    value = source.get(name) if isinstance(source, dict) else getattr(source, name, None)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _first(source, names):
    for name in names:
        value = _field(source, name)
        if value is not None:
            return int(value)
    return None


def _given(usage):
    given = _first(usage, _INPUT)
    if given is None or _field(usage, "prompt_tokens") is not None:
        return given
    return given + sum(int(_field(usage, name) or 0) for name in _CACHED)


class Budget:
    def __init__(self, limit, state_db):
        self.limit = limit
        self._state_db = state_db
        self._counted = 0
        self._lock = threading.Lock()

    def add(self, response):
        """Counts one answer; returns what it stated: tokens, and the price where the provider names one."""
        usage = getattr(response, "usage", None)
        if usage is None:
            return {"input_tokens": None, "output_tokens": None, "cost": None}
        given, made = _given(usage), _first(usage, _OUTPUT)
        with self._lock:
            self._counted += (given or 0) + (made or 0)
        return {"input_tokens": given, "output_tokens": made, "cost": _field(usage, "cost")}

    def used(self):
        return max(self._counted, self._stored())

    def spent(self):
        return self.limit is not None and self.used() >= self.limit

    def _stored(self):
        """Auxiliary calls, compression for one, do not pass the middleware; state.db has them."""
        try:
            db = sqlite3.connect(f"file:{self._state_db}?mode=ro", uri=True, timeout=1)
            try:
                known = {column[1] for column in db.execute("PRAGMA table_info(session_model_usage)")}
                sums = [f"COALESCE(SUM({name}), 0)" for name in _STORED if name in known]
                if not sums:
                    return 0
                return int(db.execute(f"SELECT {' + '.join(sums)} FROM session_model_usage").fetchone()[0])
            finally:
                db.close()
        except sqlite3.Error:
            return 0  # before the first write there is no table; the guard's own count stands
