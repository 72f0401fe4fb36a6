"""Entry point of the Hermes plugin: everything is in `host/` (Python, standard library) and in the Node worker."""

from .host import register

__all__ = ["register"]
