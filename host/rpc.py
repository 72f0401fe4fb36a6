"""JSON-RPC 2.0 over newline-delimited JSON with the worker, which may ask back while it works."""

import contextvars
import json
import threading


class RpcError(Exception):
    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data if isinstance(data, dict) else {}


class ChannelClosed(Exception):
    """The worker is gone before it answered."""


class Channel:
    """One call of ours at a time; the worker's requests are answered on threads of their own meanwhile."""

    def __init__(self, reader, writer, methods):
        self._reader = reader
        self._writer = writer
        self._methods = methods
        self._lock = threading.Lock()
        self._last_id = 0

    def call(self, method, params):
        """@raises RpcError for an error answer, ChannelClosed when the other end is gone"""
        return self.finish(self.begin(method, params))

    def begin(self, method, params):
        """Sends a call whose answer `finish` waits for; its number. @raises ChannelClosed"""
        self._last_id += 1
        self._send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        return self._last_id

    def notify(self, method, params):
        """@raises ChannelClosed"""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def finish(self, call):
        """@raises RpcError, ChannelClosed"""
        while True:
            message = self._receive()
            if "method" in message:
                self._answer_on_a_thread(message)
            elif message.get("id") == call:
                error = message.get("error")
                if isinstance(error, dict):
                    raise RpcError(error.get("code"), str(error.get("message")), error.get("data"))
                return message.get("result")

    def _receive(self):
        while True:
            try:
                line = self._reader.readline()
            except (OSError, ValueError) as error:
                raise ChannelClosed(str(error)) from error
            if not line.endswith(b"\n"):
                raise ChannelClosed("the worker closed its channel")
            try:
                message = json.loads(line)
            except ValueError:
                continue  # a library printed to stdout: not ours to read
            if isinstance(message, dict):
                return message

    def _send(self, message):
        line = json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"
        with self._lock:
            try:
                self._writer.write(line)
                self._writer.flush()
            except (OSError, ValueError) as error:
                raise ChannelClosed(str(error)) from error

    def _answer_on_a_thread(self, request):
        # The host keeps the profile in a context variable: without the copy a thread would work for another one.
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(self._answer, request), daemon=True).start()

    def _answer(self, request):
        method = self._methods.get(request["method"])
        try:
            if method is None:
                raise RpcError(-32601, f"The host does not know {request['method']}.")
            answer = {"result": method(request.get("params") or {})}
        except RpcError as error:
            answer = {"error": {"code": error.code, "message": error.message, "data": error.data}}
        except Exception as error:
            answer = {"error": {"code": -32603, "message": str(error)}}
        if "id" in request:
            try:
                self._send({"jsonrpc": "2.0", "id": request["id"], **answer})
            except ChannelClosed:
                pass
