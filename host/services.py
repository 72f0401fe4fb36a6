"""What the worker may ask of the host: a completion by the profile's own model, and a line in the host's log."""

import logging
import re

from .rpc import RpcError

log = logging.getLogger(__name__)

HOST_CALL_FAILED = -32010
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_USAGE_LIMIT = re.compile(r"usage.?limit|quota|insufficient|billing|credits|payment required", re.IGNORECASE)


def host_methods(ctx):
    return {"llm.complete": lambda params: _complete(ctx, params), "log": _log}


def _complete(ctx, params):
    options = {
        name: params[name]
        for name in ("provider", "model", "temperature", "max_tokens", "timeout", "purpose")
        if params.get(name) is not None
    }
    try:
        result = ctx.llm.complete(params["messages"], **options)
    except Exception as error:
        raise RpcError(
            HOST_CALL_FAILED, f"{type(error).__name__}: {error}", {"kind": _kind(error), "message": str(error)}
        ) from error
    usage = result.usage
    return {
        "text": result.text,
        "provider": result.provider,
        "model": result.model,
        "usage": {name: _count(usage, name) for name in ("input_tokens", "output_tokens", "total_tokens")},
        "cost_usd": getattr(usage, "cost_usd", None),
    }


def _count(usage, name):
    """The host writes 0 where the provider named no figure; a call without tokens does not exist."""
    value = getattr(usage, name, None)
    return value if isinstance(value, int) and value > 0 else None


def _kind(error):
    """`trust`: the person's config forbids it; `limit`: a used-up plan, where trying again is useless."""
    if type(error).__name__ == "PluginLlmTrustError":
        return "trust"
    if getattr(error, "status_code", None) == 402 or _USAGE_LIMIT.search(str(error)):
        return "limit"
    return "provider"


def _log(params):
    log.log(_LEVELS.get(params.get("level"), logging.INFO), "%s", params.get("message"))
