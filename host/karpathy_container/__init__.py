"""The first process of a container that one `hermes` runs in: sets its limits and watches over them.

It is process 1 of the container's own process namespace. The kernel protects such a process from signals of its
descendants, and when it ends, all of them end. Linux only, standard library only.
"""
