"""Which calls run, which are answered, which are refused. Pure but for resolving paths."""

import json
import os
import re

FILE_TOOLS = {"read_file": "path", "write_file": "path", "search_files": "path"}
# They act on nothing: the agent's own plan, and the slot's copy of the skills.
HARMLESS_TOOLS = {"todo", "skills_list"}
# In a container they can do no harm. All others need a network or a service that it doesn't have.
CONTAINED_TOOLS = {
    *FILE_TOOLS,
    *HARMLESS_TOOLS,
    "patch",
    "terminal",
    "process",
    "execute_code",
    "skill_view",
    "skill_manage",
    "memory",
    "session_search",
    "delegate_task",
    "cronjob",
}
NEUTRAL = json.dumps({"success": True, "output": "", "note": "Completed with no output."})
_OUTSIDE = "Permission denied: '{}' is outside the working directory."

_PATCH_FILE = re.compile(r"\*\*\*\s*(?:Update|Add|Delete)\s+File:\s*(.+)")
_PATCH_MOVE = re.compile(r"\*\*\*\s*Move\s+File:\s*(.+?)\s*->\s*(.+)")
_PATCH_OTHER = re.compile(r"\*\*\*\s*(?:Begin\s+Patch|End\s+Patch|End\s+of\s+File)\s*$")


class Decision:
    def __init__(self, handling, run=False, result=None, ask=None):
        self.handling = handling
        self.run = run
        self.result = result
        self.ask = ask

    @classmethod
    def real(cls):
        return cls("real", run=True)

    @classmethod
    def simulated(cls, result):
        return cls("simulated", result=result)

    @classmethod
    def blocked(cls, message):
        return cls("blocked", result=json.dumps({"error": message}, ensure_ascii=False))


def decide(trial, tool, args, task_id=""):
    """The decision for one call. Anything not foreseen here is answered, never run."""
    args = args if isinstance(args, dict) else {}
    if tool == "clarify":
        return Decision("simulated", ask={"question": args.get("question"), "choices_offered": args.get("choices")})
    scripted = _scripted(trial.get("tool_results") or {}, tool, args)
    if scripted is not None:
        return Decision.simulated(scripted)
    if trial["policy"] == "contained":
        return Decision.real() if tool in CONTAINED_TOOLS else Decision.simulated(NEUTRAL)
    if tool in FILE_TOOLS or tool == "patch":
        return _inside(trial["work_dir"], _named_paths(tool, args), task_id)
    if tool in HARMLESS_TOOLS or (tool == "skill_view" and _plain_names(args, ("name", "file_path"))):
        return Decision.real()
    if trial["policy"] == "real" and _confirmed(trial.get("real_toolsets") or [], tool):
        return Decision.real()
    return Decision.simulated(NEUTRAL)


def _confirmed(toolsets, tool):
    """Whether the tool belongs to a toolset whose name a person typed."""
    from toolsets import resolve_toolset

    return any(tool in resolve_toolset(name) for name in toolsets)


def _scripted(results, tool, args):
    entries = results.get(tool)
    if entries is None:
        return None
    if isinstance(entries, str):
        return entries
    text = json.dumps(args, ensure_ascii=False)
    for entry in entries:
        when = entry.get("when")
        if when is None or when in text:
            return entry["result"]
    return NEUTRAL


def _plain_names(args, keys):
    given = [args[key] for key in keys if args.get(key) is not None]
    return all(isinstance(path, str) and not os.path.isabs(path) and ".." not in path.split("/") for path in given)


def _named_paths(tool, args):
    """Every path a file tool would touch; None when that can't be told."""
    if tool != "patch":
        path = args.get(FILE_TOOLS[tool], "." if tool == "search_files" else None)
        return [path] if isinstance(path, str) else None
    paths = []
    if args.get("path") is not None:
        paths.append(args["path"])
    body = args.get("patch")
    if body is not None:
        if not isinstance(body, str):
            return None
        for line in body.split("\n"):  # as the host splits it
            if not line.startswith("***"):
                continue
            file, move = _PATCH_FILE.match(line), _PATCH_MOVE.match(line)
            if move:
                paths += [move.group(1).strip(), move.group(2).strip()]
            elif file:
                paths.append(file.group(1).strip())
            elif not _PATCH_OTHER.match(line):
                return None
    return paths if paths and all(isinstance(path, str) for path in paths) else None


def _inside(work_dir, paths, task_id):
    if not paths:
        return Decision.blocked("The file to act on could not be determined.")
    root = os.path.realpath(work_dir)
    for path in paths:
        for resolved in _resolutions(root, path, task_id):
            if resolved != root and not resolved.startswith(root + os.sep):
                return Decision.blocked(_OUTSIDE.format(path))
    return Decision.real()


def _resolutions(root, path, task_id):
    """Where a path leads with ~ and every link followed: by our reading, and by the host's where it can be asked."""
    yield os.path.realpath(os.path.join(root, os.path.expanduser(path)))
    try:
        from tools.file_tools import _resolve_path_for_task
    except ImportError:
        if not os.path.isabs(os.path.expanduser(path)) and os.path.realpath(os.getcwd()) != root:
            yield os.sep  # the host would start elsewhere
        return
    yield os.path.realpath(str(_resolve_path_for_task(path, task_id or "default")))
