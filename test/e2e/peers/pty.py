"""Runs a command on a new pty as its controlling terminal, as a user's shell would.

usage: pty.py COMMAND [ARG...]. Output and orders as in relay.py. When the command has ended, prints to stderr one
JSON object: {"status": N, "restored": BOOL} - whether the terminal's settings are as they were.
"""
import fcntl
import json
import os
import sys
import termios
import time

from relay import relay, resize

master, slave = os.openpty()
resize(master, 24, 80)
before = termios.tcgetattr(slave)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for target in (0, 1, 2):
        os.dup2(slave, target)
    os.closerange(3, 256)
    os.execvp(sys.argv[1], sys.argv[1:])
print("child", child, file=sys.stderr, flush=True)
reader = os.fork()
if reader == 0:
    # The parent keeps the slave open to read its settings at the end, so the end of the command is told by the
    # parent's signal, not by the pty.
    os.close(slave)
    relay(master)
    os._exit(0)
_, status = os.waitpid(child, 0)
# After SIGKILL a second process restores the settings, a moment later.
for _ in range(200):
    after = termios.tcgetattr(slave)
    if after == before:
        break
    time.sleep(0.01)
os.close(slave)
os.close(master)
os.waitpid(reader, 0)
print(json.dumps({"status": os.waitstatus_to_exitcode(status), "restored": before == after}), file=sys.stderr, flush=True)
