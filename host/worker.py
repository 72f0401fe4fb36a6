"""Starts the Node worker and shakes hands with it. It ends with its channel."""

import logging
import os
import socket
import subprocess
import sys
import threading

from . import places, runtime
from .errors import ShimError
from .node import find_node
from .rpc import Channel, ChannelClosed, RpcError
from .services import host_methods
from .wake import hermes_command

log = logging.getLogger(__name__)

PROTOCOL = 1
STALE_BUILD = -32001


class Worker:
    """A started worker; use as a context manager. `terminal` gives it ours and talks over a socket of its own."""

    def __init__(self, ctx, plugin_dir, *, terminal, allow_stale=False, candidate=None):
        """`candidate` starts that runtime instead of the one in use."""
        if not places.SUPPORTED:
            raise ShimError("not_set_up", "karpathy-self-improve runs on Linux, macOS and WSL2, not on native Windows.")
        self.home = places.hermes_home()
        self.root = places.hermes_root(self.home)
        self.plugin_dir = plugin_dir
        self.runtime = candidate or runtime.locate(plugin_dir, self.root)
        if self.runtime.stale and not allow_stale:
            raise stale_build()
        node = find_node(self.root, recorded=self.runtime.node, abi=self.runtime.abi)
        command = [node.path, os.path.join(self.runtime.directory, "dist", "worker.mjs"), "--channel"]
        self._handshake = None
        self._in_use = _hold(self.runtime.directory) if self.runtime.directory != plugin_dir else None
        if terminal:
            self._start_in_terminal(command, ctx)
        else:
            self._start_on_pipes(command, ctx)

    def _start_in_terminal(self, command, ctx):
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [*command, f"fd:{theirs.fileno()}"], pass_fds=[theirs.fileno()], env=self._env()
            )
        self._socket = ours
        self.channel = Channel(ours.makefile("rb"), ours.makefile("wb"), host_methods(ctx))

    def _start_on_pipes(self, command, ctx):
        # fd 0 and 1 of this process may be the host's own protocol; a child must never inherit them.
        self.process = subprocess.Popen(
            [*command, "stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_without_agent_shell(self._env()),
            start_new_session=True,
        )
        self._socket = None
        threading.Thread(target=_log_lines, args=(self.process.stderr,), daemon=True).start()
        self.channel = Channel(self.process.stdout, self.process.stdin, host_methods(ctx))

    def _env(self):
        return {**os.environ, "HERMES_HOME": self.home}

    def initialize(self, *, from_shell, selfcheck=False):
        """@raises ShimError when the worker was built from other sources or does not start"""
        try:
            if self._handshake is None:
                self.begin(from_shell=from_shell, selfcheck=selfcheck)
            return self.channel.finish(self._handshake)
        except RpcError as error:
            if error.code == STALE_BUILD:
                raise stale_build(error.message) from error
            raise ShimError("internal", f"The worker refused to start: {error.message}") from error
        except ChannelClosed as error:
            raise ShimError(
                "internal",
                f"The worker in {self.runtime.directory} ended while it started (exit {self._exit_code()}).",
                "Run: hermes karpathy setup --force",
            ) from error

    def begin(self, *, from_shell, selfcheck=False, preload=None):
        """Sends the handshake without waiting for its answer; `preload` is a command line to load the code of.

        @raises ChannelClosed
        """
        params = {
            "protocol": PROTOCOL,
            "plugin_version": self.runtime.version if self.runtime.stale else places.version_of(self.plugin_dir),
            "build": self.runtime.build,
            "plugin_dir": self.plugin_dir,
            "root": self.root,
            "home": self.home,
            "profile": places.profile_name(self.home),
            "python": sys.executable,
            "host_version": places.host_version(),
            "hermes": hermes_command(),
            # A chat sets HERMES_SESSION_ID in its own process too: only for a command does it name the caller.
            "env_agent_shell": from_shell and bool(os.environ.get("HERMES_SESSION_ID")),
            "platform": None,
            "in_gateway": not from_shell and places.in_gateway(),
            "selfcheck": selfcheck,
        }
        self._handshake = self.channel.begin("initialize", params)
        if preload is not None:
            self.channel.notify("preload", {"argv": preload})

    def _exit_code(self):
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            return None

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    def close(self):
        """Closing the channel ends the worker; one that hangs is killed."""
        if self._socket is not None:
            _quietly(lambda: self._socket.shutdown(socket.SHUT_RDWR))
            _quietly(self._socket.close)
        else:
            _quietly(self.process.stdin.close)
        # Waiting with a time limit asks again and again, with pauses that a person waits for.
        limit = threading.Timer(15, self.process.kill)
        limit.daemon = True
        limit.start()
        self.process.wait()
        limit.cancel()
        if self._in_use is not None:
            os.close(self._in_use)


def stale_build(detail="The plugin was updated after its runtime was built."):
    return ShimError("stale_build", detail, "Run: hermes karpathy setup")


def _hold(directory):
    try:
        return runtime.hold(directory)
    except OSError:
        return None  # a read-only place: set-up cannot remove it either


def _without_agent_shell(env):
    return {name: value for name, value in env.items() if name != "HERMES_SESSION_ID"}


def _log_lines(stream):
    for line in stream:
        log.info("%s", line.decode("utf-8", "replace").rstrip())


def _quietly(close):
    try:
        close()
    except OSError:
        pass
