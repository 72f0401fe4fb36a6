"""`/karpathy …` in a chat. Never raises and never answers nothing: the host would hand the text to the model."""

import asyncio
import logging
import threading

from .errors import ShimError
from .rpc import ChannelClosed, RpcError

log = logging.getLogger(__name__)

MAX_CHARS = 3500
# The host gives up after 30 s in some surfaces, and then the text goes to the model.
TIMEOUT_SECONDS = 25


async def answer(ctx, plugin_dir, raw_args):
    try:
        text = await asyncio.to_thread(_ask_worker, ctx, plugin_dir, str(raw_args or ""))
    except ShimError as error:
        text = error.as_text()
    except Exception as error:
        log.warning("/karpathy failed: %s", error)
        text = f"/karpathy failed: {error}"
    return _fit(text.strip()) or "Done."


def _ask_worker(ctx, plugin_dir, text):
    from .worker import Worker

    with Worker(ctx, plugin_dir, terminal=False, allow_stale=_goes_on(text)) as worker:
        watchdog = threading.Timer(TIMEOUT_SECONDS, worker.process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            worker.initialize(from_shell=False)
            return str((worker.channel.call("slash", {"text": text}) or {}).get("text") or "")
        except RpcError as error:
            return error.message
        except ChannelClosed:
            return f"No answer within {TIMEOUT_SECONDS} s. In a terminal: hermes karpathy status"
        finally:
            watchdog.cancel()


def _goes_on(text):
    from .cli import works_while_stale

    return works_while_stale(text.split())


def _fit(text):
    if len(text) <= MAX_CHARS:
        return text
    ending = "\n… (shortened; in full: hermes karpathy)"
    return text[: MAX_CHARS - len(ending)] + ending
