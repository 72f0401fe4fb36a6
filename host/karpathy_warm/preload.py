"""Imports the host as `hermes chat` would, but puts off whatever an import does to the slot until a trial is forked."""

import gc
import importlib
import os
import sys

from . import shortcuts

MODULES = ("hermes_cli.main", "cli", "run_agent", "model_tools", "agent.conversation_loop")
# What every turn imports on its way. Which there are depends on the host's version: one that is missing is no matter.
ON_THE_WAY = (
    "openai",
    "openai.resources.chat.completions",
    "openai.lib.streaming.chat",
    "httpx",
    "httpcore",
    "h11",
    "socksio",
    "aiohttp",
    "edge_tts",
    "agent.agent_init",
    "agent.agent_runtime_helpers",
    "agent.anthropic_adapter",
    "agent.aux_accounting",
    "agent.chat_completion_helpers",
    "agent.coding_context",
    "agent.copilot_acp_client",
    "agent.credits_tracker",
    "agent.gemini_native_adapter",
    "agent.image_gen_provider",
    "agent.image_gen_registry",
    "agent.image_routing",
    "agent.kanban_stop",
    "agent.lsp.cli",
    "agent.models_dev",
    "agent.rate_limit_tracker",
    "agent.reactions",
    "agent.secret_sources.onepassword",
    "agent.shell_hooks",
    "agent.skill_bundles",
    "agent.ssl_guard",
    "agent.ssl_verify",
    "agent.system_prompt",
    "agent.transports.anthropic",
    "agent.transports.bedrock",
    "agent.transports.chat_completions",
    "agent.transports.codex",
    "agent.turn_finalizer",
    "agent.verification_stop",
    "agent.verify_hooks",
    "agent.video_gen_registry",
    "agent.web_search_registry",
    "gateway.platform_registry",
    "gateway.session_context",
    "hermes_cli._parser",
    "hermes_cli.active_sessions",
    "hermes_cli.bundles",
    "hermes_cli.checkpoints",
    "hermes_cli.copilot_auth",
    "hermes_cli.curator",
    "hermes_cli.dashboard_auth",
    "hermes_cli.dashboard_auth.base",
    "hermes_cli.dashboard_auth.registry",
    "hermes_cli.fallback_cmd",
    "hermes_cli.inventory",
    "hermes_cli.journey",
    "hermes_cli.kanban",
    "hermes_cli.mcp_startup",
    "hermes_cli.migrate",
    "hermes_cli.moa_cmd",
    "hermes_cli.moa_config",
    "hermes_cli.model_normalize",
    "hermes_cli.models",
    "hermes_cli.nous_subscription",
    "hermes_cli.onepassword_secrets_cli",
    "hermes_cli.pets",
    "hermes_cli.portal_cli",
    "hermes_cli.projects_cmd",
    "hermes_cli.projects_db",
    "hermes_cli.runtime_provider",
    "hermes_cli.secrets_cli",
    "hermes_cli.send_cmd",
    "hermes_cli.stdio",
    "hermes_cli.tools_config",
    "hermes_cli.xai_retirement",
    "hermes_state",
    "packaging",
    "packaging.specifiers",
    "packaging.version",
    "plugins.spotify",
    "plugins.spotify.client",
    "plugins.spotify.tools",
    "plugins.web.brave_free",
    "plugins.web.brave_free.provider",
    "plugins.web.ddgs",
    "plugins.web.ddgs.provider",
    "plugins.web.searxng",
    "plugins.web.searxng.provider",
    "plugins.web.xai",
    "plugins.web.xai.provider",
    "tools.checkpoint_manager",
    "tools.computer_use.cua_backend",
    "tools.hook_output_spill",
    "tools.lazy_deps",
    "tools.mcp_tool",
    "tools.schema_sanitizer",
    "tools.skills_sync",
    "tools.tirith_security",
    "tools.tool_search",
    "unittest.mock",
)


class PreloadError(Exception):
    pass


class _Deferred:
    """A function of the host that does nothing during the preload, and what it always did from the fork on."""

    def __init__(self, module, name, replay):
        owner = importlib.import_module(module)
        self._real = getattr(owner, name, None)
        if not callable(self._real):
            raise PreloadError(f"this Hermes has no {module}.{name}")
        self._replay = replay
        self._calls = []
        self._waiting = True
        setattr(owner, name, self)

    def __call__(self, *args, **kwargs):
        if not self._waiting:
            return self._real(*args, **kwargs)
        self._calls.append((args, kwargs))
        return None

    def go_on(self):
        self._waiting = False
        if self._replay:
            for args, kwargs in self._calls:
                self._real(*args, **kwargs)


class Preloaded:
    """The host in memory. `arm` is called in a forked child, before the host's own `main`."""

    def __init__(self, argv, *, yolo):
        """`argv` is that of the trials up to the command: program, profile, `chat`."""
        home = os.environ["HERMES_HOME"]
        sys.argv = list(argv)
        if yolo:
            os.environ["HERMES_YOLO_MODE"] = "1"  # as the host sets it before the module that reads it once
        self._deferred = []
        # Each opens or writes files of the slot, which is laid anew for every trial.
        self._defer("hermes_logging", "setup_logging", replay=True)
        self._import("hermes_cli.config")
        self._defer("hermes_cli.config", "ensure_hermes_home", replay=True)
        self._defer("hermes_cli.plugins", "discover_plugins", replay=False)  # main() does it, with the trial's guard
        for name in MODULES:
            self._import(name)
        for name in ON_THE_WAY:
            try:
                importlib.import_module(name)
            except Exception:  # noqa: B902 - then the trial imports it, or does without, as it would anyway
                pass
        self._main = sys.modules["hermes_cli.main"].main
        self.stripped = len(argv) - len(sys.argv)
        if os.path.realpath(os.environ.get("HERMES_HOME", "")) != os.path.realpath(home):
            raise PreloadError(f"the host took {os.environ.get('HERMES_HOME')} for its home")
        from tools.env_probe import get_environment_probe_line

        get_environment_probe_line()
        shortcuts.prepare()
        gc.collect()
        gc.freeze()  # a collection in a child would copy every page it looks at

    @staticmethod
    def _import(name):
        try:
            importlib.import_module(name)
        except SystemExit as error:
            raise PreloadError(f"importing {name} ended with {error.code}") from error

    def _defer(self, module, name, replay):
        self._deferred.append(_Deferred(module, name, replay))

    def arm(self):
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed()  # Python's own generator does this by itself
        for deferred in self._deferred:
            deferred.go_on()

    def main(self):
        return self._main()
