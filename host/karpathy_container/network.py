"""The only way out: connections to the model's endpoint, and only from the agent's own process.

The container's network has nothing but a loopback device. The endpoint's name leads to an address there (by
/etc/hosts, or because the address itself is put on the device), and what is sent to it goes byte by byte through a
unix socket to a forwarder outside, which connects to that one endpoint. TLS runs from end to end.

The agent's tools run in the same container, and could spend money unseen by calling the model themselves. So a
connection is passed on only when the agent's process holds its other end.
"""

import ctypes
import errno
import fcntl
import ipaddress
import os
import resource
import socket
import stat
import struct
import threading

_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_ESTABLISHED = "01"
_PIDFD_GETFD = 438  # on every architecture

_libc = ctypes.CDLL(None, use_errno=True)


def listen(endpoints):
    """Sockets that listen where the agent looks for the endpoints. Needs the right to set up the network."""
    listening = []
    for index, endpoint in enumerate(endpoints):
        address = ipaddress.ip_address(endpoint["address"])
        if not address.is_loopback:
            _put_on_loopback(index, address)
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((str(address), endpoint["port"]))
        sock.listen(64)
        listening.append((sock, endpoint["socket"]))
    return listening


def _put_on_loopback(index, address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((_SIOCSIFADDR, address.packed), (_SIOCSIFNETMASK, b"\xff" * 4)):
            name = f"lo:{index}".encode()
            sockaddr = struct.pack("=HH4s8x", socket.AF_INET, 0, value)
            fcntl.ioctl(control, request, struct.pack("=16s16s8x", name, sockaddr))


class Gate:
    """Passes the agent's connections on. `sockets` is the directory, open, where the forwarder's sockets lie."""

    def __init__(self, sockets, agent):
        self._sockets = sockets
        self._agent = os.pidfd_open(agent)

    def open(self, listening):
        for sock, name in listening:
            threading.Thread(target=self._accept, args=(sock, name), daemon=True).start()

    def _accept(self, sock, name):
        while True:
            try:
                inner, peer = sock.accept()
            except OSError:
                continue
            threading.Thread(target=self._pass_on, args=(inner, peer, name), daemon=True).start()

    def _pass_on(self, inner, peer, name):
        outer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if not held_by(self._agent, peer):
                return
            # The directory is in no mount of the container: it is reached by its descriptor only.
            outer.connect(f"/proc/{os.getpid()}/fd/{self._sockets}/{name}")
            back = threading.Thread(target=_pump, args=(outer, inner), daemon=True)
            back.start()
            _pump(inner, outer)
            back.join()
        except OSError:
            pass  # the agent sees a connection that ended
        finally:
            inner.close()
            outer.close()


def _pump(source, sink):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def held_by(process, peer):
    """Whether the process (a pidfd) holds the socket whose local end is `peer`."""
    inode = _inode_of(peer)
    if inode is None:
        return False
    for number in range(resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        # /proc doesn't show the descriptors of a process that is closed to the others.
        fd = _libc.syscall(_PIDFD_GETFD, process, number, 0)
        if fd < 0:
            if ctypes.get_errno() == errno.EBADF:
                continue
            raise OSError(ctypes.get_errno(), "the agent's descriptors can't be looked at")
        try:
            if os.fstat(fd).st_ino == inode and stat.S_ISSOCK(os.fstat(fd).st_mode):
                return True
        finally:
            os.close(fd)
    return False


def _inode_of(peer):
    address = ipaddress.ip_address(peer[0])
    words = struct.unpack(f"={len(address.packed) // 4}I", address.packed)
    wanted = f"{''.join(f'{word:08X}' for word in words)}:{peer[1]:04X}"
    table = "/proc/net/tcp6" if address.version == 6 else "/proc/net/tcp"
    with open(table, encoding="ascii") as rows:
        for row in rows:
            fields = row.split()
            if fields[1] == wanted and fields[3] == _ESTABLISHED:
                return int(fields[9])
    return None
