"""Runs npm in a directory that holds a copy of the sources, and says in words what went wrong."""

import os
import re
import shutil
import signal
import subprocess

from .errors import ShimError

LAST_LINES = 12
# Settings of a surrounding npm run or of the person that would change what is installed or where.
_DISTURBING = re.compile(
    r"^(npm_(package|lifecycle|command|execpath|node_execpath).*"
    r"|npm_config_(production|omit|include|only|also|dry_run|ignore_scripts|global|location|prefix|local_prefix"
    r"|global_prefix|workspaces?|include_workspace_root|package_lock|package_lock_only|offline_only|userconfig_only)"
    r"|node_env|node_options|node_path|init_cwd)$",
    re.IGNORECASE,
)


class Build:
    def __init__(self, directory, *, node, log_path):
        self._directory = directory
        self._node = node
        self._log_path = log_path
        self._npm = _npm_beside(node.path)

    def install_and_build(self):
        # Installing from a lock file ends with the package's own `prepare`, which is the build.
        self._run(["ci", "--include=dev"], first=True)
        if not os.path.isfile(os.path.join(self._directory, "dist", "worker.mjs")):
            self._run(["run", "build"])

    def prune(self):
        self._run(["prune", "--omit=dev", "--ignore-scripts"])

    def _run(self, arguments, first=False):
        with open(self._log_path, "wb" if first else "ab") as log:
            child = subprocess.Popen(
                [self._npm, *arguments, "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=notice"],
                cwd=self._directory,
                env=self._env(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = child.wait()
            except BaseException:
                # npm's own children (compiler, bundler) are in its group and must not go on in the background.
                _end_group(child)
                raise
        if code != 0:
            raise self._failure(arguments[0])

    def _env(self):
        env = {name: value for name, value in os.environ.items() if not _DISTURBING.match(name)}
        env["PATH"] = os.pathsep.join([os.path.dirname(self._node.path), env.get("PATH", os.defpath)])
        headers = _headers_of(self._node)
        if headers is not None and not any(value for name, value in env.items() if name.lower() == "npm_config_nodedir"):
            env["npm_config_nodedir"] = headers
        return env

    def _failure(self, command):
        with open(self._log_path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        tail = "\n".join(f"  {line}" for line in text.strip().splitlines()[-LAST_LINES:])
        cause, hint = _cause(text)
        return ShimError("io", f"npm {command} failed{cause}. Its last lines:\n{tail}", f"{hint} Full log: {self._log_path}")


def _headers_of(node):
    """The prefix of a Node that brings its own headers: compiling then downloads nothing. None = they are not there."""
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(node.path)))
    try:
        with open(os.path.join(prefix, "include", "node", "node_version.h"), encoding="utf-8") as file:
            numbers = dict(re.findall(r"^#define NODE_(MAJOR|MINOR|PATCH)_VERSION (\d+)$", file.read(), re.MULTILINE))
    except (OSError, ValueError):
        return None
    version = ".".join(numbers.get(part, "?") for part in ("MAJOR", "MINOR", "PATCH"))
    return prefix if version == node.version else None


def _cause(text):
    if "ENOSPC" in text:
        return ": the disk is full", "Free some space and run `hermes karpathy setup` again."
    if re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH", text) and "gyp" not in text:
        return ": the npm registry can't be reached", "Check network, proxy and `npm config get registry`, then repeat."
    if "gyp ERR!" in text and re.search(r"network connectivity|-headers\.tar", text):
        return (
            ": neither a ready-made SQLite module (github.com) nor Node's headers (nodejs.org) can be downloaded",
            "Check network and proxy. Or use a Node that brings its headers (include/node below its prefix, as the "
            "archives of nodejs.org do), or name the prefix that has them: npm config set nodedir PREFIX.",
        )
    if "gyp ERR!" in text or "node-gyp" in text:
        return (
            ": the SQLite module could not be compiled",
            "A C++ compiler, make and Python are needed (Debian: `apt install build-essential python3`; "
            "macOS: `xcode-select --install`).",
        )
    return "", "Run `hermes karpathy setup` again when the cause is mended."


def _npm_beside(node_path):
    """The npm of that Node, so that the native module is built for its ABI."""
    beside = os.path.join(os.path.dirname(node_path), "npm")
    npm = beside if os.access(beside, os.X_OK) else shutil.which("npm")
    if npm is None:
        raise ShimError(
            "not_set_up",
            f"npm was not found, neither beside {node_path} nor in PATH.",
            "Install npm (it comes with Node from https://nodejs.org; on Debian it is a package of its own).",
        )
    return npm


def _end_group(child):
    try:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        child.kill()
        child.wait()
