"""A pidfd-socket receiver: takes one descriptor by SCM_RIGHTS, signals its process, and tells of its end.

usage: pidfd.py SOCKET SIGNAL. Prints "ready", then "received NAME COUNT PID" (the process as /proc/self/fdinfo has it),
then "ended" once the process has ended.
"""
import array
import re
import select
import signal
import socket
import sys

server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(sys.argv[1])
server.listen(1)
print("ready", flush=True)
if not select.select([server], [], [], 30)[0]:
    sys.exit("nobody connected")
connection, _ = server.accept()
name, ancillary, _flags, _address = connection.recvmsg(4096, socket.CMSG_SPACE(16 * 4))
descriptors = array.array("i")
for level, kind, data in ancillary:
    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
pidfd = descriptors[0]
pid = re.search(r"^Pid:\s+(\d+)", open(f"/proc/self/fdinfo/{pidfd}").read(), re.M).group(1)
print("received", name.decode(), len(descriptors), pid, flush=True)
sys.stdin.readline()
signal.pidfd_send_signal(pidfd, getattr(signal, sys.argv[2]))
if not select.select([pidfd], [], [], 30)[0]:
    sys.exit("the process does not end")
print("ended", flush=True)
