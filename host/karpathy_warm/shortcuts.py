"""Work that every trial would do again with the same result, done once before the forks."""

import functools
import gettext
import os
import ssl
import sys

# A turn opens about as many clients; a context is built from some 140 certificates in 20 ms and takes 1 MB.
CONTEXTS = 8


class ReadyContexts:
    """TLS contexts that are built already. Each is handed out once, so that nobody meets another's changes to it."""

    def __init__(self, files):
        self._build = ssl.create_default_context
        self._ready = {}
        for file, count in files.items():
            signature = _signature(file)
            if signature is not None:
                self._ready[file] = (signature, [self._build(cafile=file) for _ in range(count)])
        ssl.create_default_context = self._create

    def _create(self, purpose=ssl.Purpose.SERVER_AUTH, *, cafile=None, capath=None, cadata=None):
        if purpose is ssl.Purpose.SERVER_AUTH and capath is None and cadata is None:
            signature, contexts = self._ready.get(cafile, (None, ()))
            if contexts and signature == _signature(cafile):
                return contexts.pop()
        return self._build(purpose, cafile=cafile, capath=capath, cadata=cadata)


def _signature(path):
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def prepare():
    """Call it when the host's modules are loaded."""
    import certifi

    bundle = os.environ.get("SSL_CERT_FILE") or certifi.where()
    ReadyContexts({certifi.where(): 1, bundle: CONTEXTS})
    # What a client tells of this machine with its requests: Python keeps it, and would start a `uname` in every trial.
    describe_machine = getattr(sys.modules.get("openai._base_client"), "get_platform", None)
    if callable(describe_machine):
        describe_machine()
    # Every argument of the host's parser looks for translations on disk, of which there are none.
    gettext.find = functools.lru_cache(maxsize=None)(gettext.find)
