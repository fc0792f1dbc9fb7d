#!/bin/bash
# Installs what the build and the tests need and what is missing: Debian's packages and the npm packages of the lock
# file. Safe to repeat; does nothing at all on a machine that has everything.
set -euo pipefail
cd "$(dirname "$0")/.."

# command (or file) that shows that a package is there, and the package
needed=(
  "gcc gcc"
  "g++ g++"
  "/usr/include/linux/mount.h linux-libc-dev"
  "/usr/share/doc/libc6-dev libc6-dev"
  "python3 python3"
  "runc runc"
  "crun crun"
  "strace strace"
  "hyperfine hyperfine"
  "/usr/bin/time time"
  "aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu"
  "qemu-aarch64-static qemu-user-static"
  "ip iproute2"
  "mount mount"
  "newuidmap uidmap"
  "taskset util-linux"
  "ps procps"
)
# The guest of test/vm is made and run by these.
if [[ $(uname -m) == x86_64 ]]; then
  needed+=("qemu-system-x86_64 qemu-system-x86" "mmdebstrap mmdebstrap" "mke2fs e2fsprogs")
fi

missing=()
for line in "${needed[@]}"; do
  read -r sign package <<<"$line"
  if [[ $sign == /* ]]; then [[ -e $sign ]] || missing+=("$package"); else
    command -v "$sign" >/dev/null || missing+=("$package")
  fi
done
# busybox exists in a dynamic build too, which a root file system cannot use: so this one by its package.
dpkg-query --show --showformat '${Status}' busybox-static 2>/dev/null | grep -q 'install ok installed' ||
  missing+=(busybox-static)
# A library, at a path that differs with the architecture. tsrunc loads it to compile seccomp profiles.
ldconfig -p | grep 'libseccomp\.so\.2' >/dev/null || # no -q: ldconfig shall not meet a closed pipe
  missing+=(libseccomp2)

if ((${#missing[@]} > 0)); then
  if ((EUID != 0)); then
    echo "setup: missing packages, and not root: ${missing[*]}" >&2
    exit 1
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || echo "setup: apt-get update failed, trying with the lists at hand" >&2
  apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
fi

# npm writes node_modules/.package-lock.json last: it is as new as the installation.
if [[ ! -e node_modules/.package-lock.json || package-lock.json -nt node_modules/.package-lock.json ]]; then
  echo "setup: npm ci"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  touch node_modules/.package-lock.json
fi
