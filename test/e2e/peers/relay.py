"""Relays a pty master: its output to stdout, and the JSON lines of stdin to it."""
import fcntl
import json
import os
import select
import struct
import sys
import termios


def resize(master, rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def relay(master):
    """Returns when the pty's other side is closed, or stdin is at its end and nothing more comes."""
    pending = b""
    sources = [master, 0]
    while True:
        ready, _, _ = select.select(sources, [], [], 60)
        if not ready:
            return
        if master in ready:
            try:
                data = os.read(master, 65536)
            except OSError:
                return
            if not data:
                return
            os.write(1, data)
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                sources = [master]
            pending += data
            *lines, pending = pending.split(b"\n")
            for line in lines:
                order = json.loads(line)
                if "write" in order:
                    os.write(master, order["write"].encode())
                if "resize" in order:
                    resize(master, *order["resize"])
