"""Errors of the shim, with the codes and exit codes of the worker's errors."""

import json
import sys

EXIT_CODES = {
    "bad_usage": 2,
    "bad_config": 2,
    "unknown_profile": 2,
    "not_set_up": 3,
    "needs_person": 3,
    "busy": 3,
    "stale_build": 3,
}


class ShimError(Exception):
    def __init__(self, code, message, hint=None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    @property
    def exit_code(self):
        return EXIT_CODES.get(self.code, 130 if self.code == "interrupted" else 1)

    def as_text(self):
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"


def not_set_up():
    return ShimError("not_set_up", "karpathy-self-improve is not set up yet.", "Run: hermes karpathy setup")


def report(error, as_json):
    """Prints an error to stderr the way the worker does and returns the exit code."""
    if as_json:
        body = {"code": error.code, "message": error.message}
        if error.hint is not None:
            body["hint"] = error.hint
        print(json.dumps({"error": body}), file=sys.stderr)
    else:
        print(f"Error: {error.as_text()}", file=sys.stderr)
    return error.exit_code
