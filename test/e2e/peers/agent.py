"""A seccomp agent: takes listeners by SCM_RIGHTS and answers the system calls that come from them.

usage: agent.py SOCKET ANSWERS. ANSWERS is a JSON object from a system call's number to what it gets: {"error": ERRNO},
{"value": N}, or {} to let the call go on. Prints "ready", then for each connection one line of JSON with the received
state, the number of descriptors, and whether the connection was closed after it, and for each call one with its number.
"""
import ctypes
import fcntl
import json
import os
import socket
import sys
import threading

from rights import receive

# linux/seccomp.h: _IOWR('!', 0, struct seccomp_notif), _IOWR('!', 1, struct seccomp_notif_resp)
NOTIF_RECV = 0xC0502100
NOTIF_SEND = 0xC0182101
FLAG_CONTINUE = 1


class Data(ctypes.Structure):
    _fields_ = [
        ("nr", ctypes.c_int32),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("args", ctypes.c_uint64 * 6),
    ]


class Notification(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint64), ("pid", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("data", Data)]


class Response(ctypes.Structure):
    _fields_ = [
        ("id", ctypes.c_uint64),
        ("val", ctypes.c_int64),
        ("error", ctypes.c_int32),
        ("flags", ctypes.c_uint32),
    ]


assert ctypes.sizeof(Notification) == 80 and ctypes.sizeof(Response) == 24
answers = json.loads(sys.argv[2])
lock = threading.Lock()


def tell(thing):
    with lock:
        print(json.dumps(thing), flush=True)


def answer(listener):
    while True:
        notification = Notification()
        try:
            fcntl.ioctl(listener, NOTIF_RECV, notification)
            number = notification.data.nr
            wanted = answers.get(str(number), {})
            response = Response(notification.id, wanted.get("value", 0), -wanted.get("error", 0), 0)
            if not wanted:
                response.flags = FLAG_CONTINUE
            tell({"call": number, "pid": notification.pid})
            fcntl.ioctl(listener, NOTIF_SEND, response)
        except OSError:
            os.close(listener)  # no process is left under the filter
            return


server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(sys.argv[1])
server.listen(8)
print("ready", flush=True)
while True:
    connection, _ = server.accept()
    message, descriptors = receive(connection, 1 << 20)
    rest = b""
    while part := connection.recv(1 << 16):
        rest += part
    tell({"state": json.loads(message + rest), "descriptors": len(descriptors), "closed": True})
    for descriptor in descriptors:
        threading.Thread(target=answer, args=(descriptor,), daemon=True).start()
