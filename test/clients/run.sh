#!/bin/bash
# Runs real container engines on tsrunc: podman with conmon, buildah, containerd with its shim, docker. Each test file
# has a room of its own (room.sh); the images are made here, and no network is used but for installing the packages.
# usage: run.sh [FILE...]   files of test/clients; all of them unless given. TSRUNC: the executable to test.
# The last line of the output is `N passed, N failed, N skipped`.
set -uo pipefail
cd "$(dirname "$0")/../.."
unset NODE_EXTRA_CA_CERTS
export TSRUNC=${TSRUNC:-$PWD/dist/tsrunc}

if ((EUID != 0)); then
  echo "SKIPPED: clients: the engines need root"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
bash scripts/setup.sh && bash test/clients/setup.sh || {
  echo "FAILED: setup"
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
}
(($# > 0)) || set -- test/clients/*.test.ts

had_podman=0
[[ -z $(find /sys/fs/cgroup/ -maxdepth 2 -name libpod_parent) ]] || had_podman=1
passed=0
failed=0
skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for file; do
  unshare --mount --net --pid --fork --kill-child --mount-proc bash test/clients/room.sh \
    node scripts/bun.mjs test "./$file" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  count() { sed -n "s/^ *\([0-9][0-9]*\) $1\$/\1/p" "$log" | tail -1; }
  pass=$(count pass) fail=$(count fail) skip=$(count skip)
  passed=$((passed + ${pass:-0}))
  failed=$((failed + ${fail:-0}))
  skipped=$((skipped + ${skip:-0}))
  if ((status != 0 && ${fail:-0} == 0)) || [[ -z $pass ]]; then
    echo "FAILED: $file ended with status $status"
    failed=$((failed + 1))
  fi
done
# Engines leave the parents of their containers' cgroups, empty: those with the tests' name, and that of podman's
# `play kube`, which cannot be told another. A host that uses podman itself keeps its own.
parents=(-path '*/tsrunc-clients-*')
((had_podman)) || parents=(\( -path '*/tsrunc-clients-*' -o -path '*/libpod_parent*' \))
find /sys/fs/cgroup/ -depth -type d "${parents[@]}" -exec rmdir {} + || failed=$((failed + 1))
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
