"""A pidfd-socket receiver: takes one descriptor by SCM_RIGHTS, signals its process, and tells of its end.

usage: pidfd.py SOCKET SIGNAL. Prints "ready", then "received NAME COUNT PID" (the process as /proc/self/fdinfo has it),
then "ended" once the process has ended.
"""
import re
import select
import signal
import sys

from rights import accept_one, receive

name, descriptors = receive(accept_one(sys.argv[1]))
pidfd = descriptors[0]
pid = re.search(r"^Pid:\s+(\d+)", open(f"/proc/self/fdinfo/{pidfd}").read(), re.M).group(1)
print("received", name.decode(), len(descriptors), pid, flush=True)
sys.stdin.readline()
signal.pidfd_send_signal(pidfd, getattr(signal, sys.argv[2]))
if not select.select([pidfd], [], [], 30)[0]:
    sys.exit("the process does not end")
print("ended", flush=True)
