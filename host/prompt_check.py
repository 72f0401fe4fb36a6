"""Asks the installed Hermes what it would do with a text as SOUL.md.

Run by the interpreter that can import Hermes. Text on stdin (UTF-8), one JSON document on stdout:
{"blocked": bool, "truncated": bool, "limit_chars": int, "findings": [str]}. Exit 3 when this Hermes can't be asked.
"""

import json
import logging
import sys


def main():
    logging.disable(logging.CRITICAL)
    text = sys.stdin.buffer.read().decode("utf-8").strip()
    try:
        from agent.prompt_builder import _get_context_file_max_chars, _scan_context_content

        scanned = _scan_context_content(text, "SOUL.md")
        limit = int(_get_context_file_max_chars())
    except Exception as error:  # a newer host may have moved them; the caller then refuses the text
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 3
    blocked = scanned.startswith("[BLOCKED:")
    truncated = not blocked and len(scanned) > limit
    findings = [scanned] if blocked else []
    if truncated:
        findings.append(f"{len(scanned)} characters, the host keeps {limit}")
    print(json.dumps({"blocked": blocked, "truncated": truncated, "limit_chars": limit, "findings": findings}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
