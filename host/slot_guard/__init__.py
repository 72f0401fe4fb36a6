"""Keeps a trial inside its slot: answers tool calls, counts tokens, writes down what was called.

The host runs the real tool when a middleware raises, so nothing here may raise: whatever goes wrong in the guard
ends the process with GUARD_FAILED, and the runner counts the trial as a fault, never as the agent's failure.
Errors of the tool or of the provider itself are passed on untouched.
"""

import ctypes
import json
import os
import threading
import time
from urllib.parse import urlsplit

from .budget import Budget
from .policy import Decision, decide
from .record import Record

# The exit codes are known to src/evaluation/trialOutcome.ts.
BUDGET_SPENT = 86
GUARD_FAILED = 87

TRIAL_FILE = "karpathy-trial.json"
_SET_DUMPABLE = 4


class _Downstream(Exception):
    """Carries an error of the tool or provider past the guard's own handler."""

    def __init__(self, original):
        super().__init__(str(original))
        self.original = original


class Guard:
    def __init__(self, trial):
        self.trial = trial
        self.record = Record(trial["record"]) if trial["policy"] != "contained" else self._record_of_container()
        self.budget = Budget(trial.get("token_limit"), trial["state_db"])
        self.questions = 0
        self.lock = threading.Lock()
        self.nested = threading.local()

    @staticmethod
    def _record_of_container():
        """In a container the agent's tools run as the same user: neither record nor memory may be theirs to open."""
        record = Record(fd=int(os.environ["KARPATHY_RECORD_FD"]))
        if ctypes.CDLL(None).prctl(_SET_DUMPABLE, ctypes.c_ulong(0), 0, 0, 0) != 0:
            raise OSError("this process can't be closed to the others")
        return record

    def end(self, code, reason):
        try:
            self.record.write({"event": "ended", "code": code, "reason": reason[:500]})
        finally:
            os._exit(code)

    def end_with_parent(self):
        """A runner that was killed watches no time any more, and the next one lays the same slot anew."""
        parent = os.getppid()

        def watch():
            while os.getppid() == parent:
                time.sleep(1)
            self.end(GUARD_FAILED, "the process that started the trial is gone")

        threading.Thread(target=watch, daemon=True).start()

    def on_tool(self, **call):
        return self._fail_closed(self._tool, call, "tool", call.get("tool_name"))

    def on_model(self, **call):
        return self._fail_closed(self._model, call, "model call", call.get("model"))

    def _fail_closed(self, handle, call, *what):
        try:
            return handle(**call)
        except _Downstream as error:
            raise error.original
        except (KeyboardInterrupt, SystemExit):
            raise  # the process is being ended from outside; the host does not run the call after these
        except BaseException as error:  # noqa: B902 - an exception that escapes would let the call through
            self.end(GUARD_FAILED, f"{' '.join(map(str, what))}: {type(error).__name__}: {error}")

    def _tool(self, tool_name, args, next_call, tool_call_id="", task_id="", **_):
        decision = decide(self.trial, tool_name, args, task_id)
        # The host wraps some calls twice; the inner one is checked again but is the same call.
        inner = getattr(self.nested, "call", None)
        if inner is not None and inner == (tool_call_id, tool_name) and decision.run:
            return self._run(next_call, args)
        if decision.ask:
            decision = self._answer(decision)
        entry = {"event": "tool", "id": tool_call_id, "name": tool_name, "args": args, "handling": decision.handling}
        self.record.write(entry)
        if not decision.run:
            return decision.result
        self.nested.call = (tool_call_id, tool_name)
        try:
            return self._run(next_call, args)
        finally:
            self.nested.call = None

    def _answer(self, decision):
        """A question to the user is answered at once: from the scenario's answers, the last of which repeats."""
        with self.lock:
            answers = self.trial.get("answers") or []
            index = min(self.questions, len(answers) - 1)
            self.questions += 1
        text = answers[index] if answers else "No preference. Decide yourself and continue."
        return Decision.simulated(json.dumps({**decision.ask, "user_response": text}, ensure_ascii=False))

    @staticmethod
    def _run(next_call, payload):
        try:
            return next_call(payload)
        except Exception as error:
            raise _Downstream(error) from error

    def _model(self, request, next_call, model="", provider="", base_url="", **_):
        if self.budget.spent():
            self.end(BUDGET_SPENT, f"{self.budget.used()} tokens used of {self.budget.limit}")
        self.record.write(
            {"event": "model_start", "model": model, "provider": provider, "endpoint": origin_of(base_url)}
        )
        began = time.monotonic()
        try:
            response = self._run(next_call, request)
        except _Downstream as error:
            # The host wraps what its provider raised once more.
            original = getattr(error.original, "original", error.original)
            self.record.write(
                {
                    "event": "model_error",
                    "type": type(original).__name__,
                    "status": getattr(original, "status_code", None),
                    "message": str(original)[:500],
                }
            )
            raise
        usage = self.budget.add(response)
        self.record.write(
            {
                "event": "model_end",
                "model": str(getattr(response, "model", "") or ""),
                "response_id": response_id(response),
                "ms": int((time.monotonic() - began) * 1000),
                **usage,
            }
        )
        return response


def origin_of(base_url):
    """Scheme, name and port: what else an address holds may be a key."""
    try:
        url = urlsplit(str(base_url or ""))
        host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
        return f"{url.scheme}://{host}{'' if url.port is None else f':{url.port}'}" if host else ""
    except ValueError:
        return ""


def response_id(response):
    """The provider's id; of a stream the host forgets it and makes up its own, which says nothing."""
    given = str(getattr(response, "id", "") or "")
    return "" if given.startswith("stream-") else given[:200]


def register(ctx):
    try:
        from hermes_constants import get_hermes_home

        with open(os.path.join(str(get_hermes_home()), TRIAL_FILE), encoding="utf-8") as file:
            guard = Guard(json.load(file))
        ctx.register_middleware("tool_execution", guard.on_tool)
        ctx.register_middleware("llm_execution", guard.on_model)
        guard.end_with_parent()
        guard.record.write({"event": "ready", "policy": guard.trial["policy"]})
    except BaseException:  # noqa: B902 - a slot without its guard must not go on
        os._exit(GUARD_FAILED)
