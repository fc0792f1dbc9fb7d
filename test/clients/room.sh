#!/bin/bash
# usage: unshare --mount --net --pid --fork --kill-child --mount-proc room.sh COMMAND...
# Runs a command where container engines may do as they like: /run and /var/lib are empty, /etc a copy, new files in
# /opt private, the network a loopback, and every process ends with the pid namespace whose pid 1 this is. Only
# cgroups and the kernel's settings are shared with the host. Engines are told to keep their data below /run too.
set -euo pipefail

mount --make-rprivate /
mount -t tmpfs -o mode=755 tsrunc-clients /run
mkdir /run/lock /run/etc
cp -a /etc/. /run/etc
rm -rf /run/etc/containers/{containers,storage,libpod}.conf /run/etc/containers/*.conf.d /run/etc/docker /run/etc/containerd
mount --bind /run/etc /etc
# Caches and plugins' directories, whose places cannot all be told to the engines.
mount -t tmpfs -o mode=755 tsrunc-clients /var/lib
mkdir /run/opt
for entry in /opt/*/; do
  [[ -d $entry ]] || continue
  mkdir "/run$entry"
  mount --rbind "$entry" "/run$entry"
done
mount --rbind /run/opt /opt
ip link set lo up
# bash stays pid 1: it reaps the orphans that conmon and the shims become when they detach.
"$@" &
status=0
wait $! || status=$?
exit "$status"
