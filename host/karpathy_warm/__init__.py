"""One Hermes, imported once, from which every trial of a slot is forked. Linux only.

The process is started with the home, environment and working directory that the slot's trials have, because modules
of the host bind paths when they are imported. Standard library only.
"""
