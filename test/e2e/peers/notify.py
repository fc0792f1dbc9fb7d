"""A service manager's end of sd_notify(3). usage: notify.py SOCKET. Prints "ready", then each message as JSON; a
descriptor that comes with one is closed, which answers BARRIER=1."""
import array
import json
import os
import socket
import sys

manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1].replace("@", "\0", 1) if sys.argv[1].startswith("@") else sys.argv[1])
print("ready", flush=True)
while True:
    data, ancillary, _flags, _address = manager.recvmsg(4096, socket.CMSG_SPACE(16))
    for _level, _kind, fds in ancillary:
        for fd in array.array("i", fds):
            os.close(fd)
    print(json.dumps(data.decode()), flush=True)
