"""A console-socket receiver: takes one pty master by SCM_RIGHTS, then relays it.

usage: console.py SOCKET. Prints "ready" when it listens and "received NAME COUNT" when the descriptor has come
(stderr); the pty's output goes to stdout. Each line of stdin is a JSON object: {"write": TEXT} or
{"resize": [ROWS, COLUMNS]}.
"""
import os
import sys

from relay import relay
from rights import accept_one, receive

name, descriptors = receive(accept_one(sys.argv[1], sys.stderr))
print("received", name.decode() or "-", len(descriptors), file=sys.stderr, flush=True)
if len(descriptors) != 1:
    sys.exit(1)
master = descriptors[0]
print("isatty", os.isatty(master), file=sys.stderr, flush=True)
relay(master)
