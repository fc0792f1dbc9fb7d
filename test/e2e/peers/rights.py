"""Descriptors by SCM_RIGHTS (unix(7))."""
import array
import select
import socket
import sys


def accept_one(path, out=sys.stdout):
    """Listens at the path, prints "ready", and gives the first connection; ends the program after 30 seconds."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen(1)
    print("ready", file=out, flush=True)
    if not select.select([server], [], [], 30)[0]:
        sys.exit("nobody connected")
    return server.accept()[0]


def receive(connection, size=4096):
    """One message, and the descriptors that came with it."""
    message, ancillary, _flags, _address = connection.recvmsg(size, socket.CMSG_SPACE(16 * 4))
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return message, descriptors
