"""A console-socket receiver: takes one pty master by SCM_RIGHTS, then relays it.

usage: console.py SOCKET. Prints "ready" when it listens and "received NAME COUNT" when the descriptor has come
(stderr); the pty's output goes to stdout. Each line of stdin is a JSON object: {"write": TEXT} or
{"resize": [ROWS, COLUMNS]}.
"""
import array
import os
import select
import socket
import sys

from relay import relay

server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(sys.argv[1])
server.listen(1)
print("ready", file=sys.stderr, flush=True)
if not select.select([server], [], [], 30)[0]:
    sys.exit("nobody connected")
connection, _ = server.accept()
name, ancillary, _flags, _address = connection.recvmsg(4096, socket.CMSG_SPACE(16 * 4))
descriptors = array.array("i")
for level, kind, data in ancillary:
    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
print("received", name.decode() or "-", len(descriptors), file=sys.stderr, flush=True)
if len(descriptors) != 1:
    sys.exit(1)
master = descriptors[0]
print("isatty", os.isatty(master), file=sys.stderr, flush=True)
relay(master)
