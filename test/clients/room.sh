#!/bin/bash
# usage: unshare --mount --net --pid --fork --kill-child --mount-proc room.sh ROOT COMMAND...
# Runs a command where container engines may do as they like: /run and /var/lib are empty, /etc a copy, new files in
# /opt private, the network a loopback, and every process ends with the pid namespace whose pid 1 this is. Only
# cgroups and the kernel's settings are shared with the host. Engines are told to keep their data below /run too.
# ROOT is `/`, or another system's root: the project is then in /srv/project, the folders or files that BINDS names as
# `FROM:NAME ...` are in /srv/NAME, and the root itself cannot be written.
set -euo pipefail

root=${1%/}
shift
mount --make-rprivate /
if [[ -n $root ]]; then
  mount --bind "$root" "$root"
  mount -o remount,bind,ro "$root"
  for directory in dev proc sys; do mount --rbind "/$directory" "$root/$directory"; done
  for directory in srv tmp var/tmp; do mount -t tmpfs -o mode=1777 tsrunc-clients "$root/$directory"; done
  for bind in "$PWD:project" ${BINDS:-}; do
    target=$root/srv/${bind##*:}
    if [[ -d ${bind%:*} ]]; then mkdir "$target"; else : >"$target"; fi
    mount --bind "${bind%:*}" "$target"
  done
  mkdir "$root/srv/host"
  # Not chroot: inside it the kernel gives no user namespace.
  pivot_root "$root" "$root/srv/host"
  cd /srv/project
  umount -l /srv/host
  rmdir /srv/host
fi
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
