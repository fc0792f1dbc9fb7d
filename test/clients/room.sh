#!/bin/bash
# usage: unshare --mount --net --pid --fork --kill-child --mount-proc room.sh COMMAND...
# Runs a command where container engines may do as they like: /run is empty, /etc a copy, the network a loopback, and
# every process ends with the pid namespace whose pid 1 this is. Only cgroups and the kernel's settings are shared
# with the host. Engines are told to keep their data below /run too.
set -euo pipefail

mount --make-rprivate /
mount -t tmpfs -o mode=755 tsrunc-clients /run
mkdir /run/lock /run/etc
cp -a /etc/. /run/etc
rm -rf /run/etc/containers/{containers,storage,libpod}.conf /run/etc/containers/*.conf.d /run/etc/docker /run/etc/containerd
mount --bind /run/etc /etc
ip link set lo up
# bash stays pid 1: it reaps the orphans that conmon and the shims become when they detach.
"$@" &
status=0
wait $! || status=$?
exit "$status"
