#!/bin/bash
# Runs real container engines on tsrunc: podman with conmon, buildah, containerd with its shim, docker; first those of
# this machine's Debian, then the newest, in the root that root.sh makes once, where also containerd's CRI plugin is
# tested. Each test file has a room of its own (room.sh); the images are made here, and no network is used but for
# installing the packages.
# usage: run.sh [--own|--newest] [FILE...]   files of test/clients; all of them unless given
# TSRUNC: the executable to test. The last line of the output is `N passed, N failed, N skipped`.
set -uo pipefail
cd "$(dirname "$0")/../.."
unset NODE_EXTRA_CA_CERTS
TSRUNC=$(realpath -s "${TSRUNC:-dist/tsrunc}")
export TSRUNC

own=1 newest=1
case ${1:-} in
  --own) newest=0 && shift ;;
  --newest) own=0 && shift ;;
esac

fail() {
  echo "FAILED: $1"
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
}
if ((EUID != 0)); then
  echo "SKIPPED: clients: the engines need root"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
bash scripts/setup.sh && bash test/clients/setup.sh || fail setup
(($# > 0)) || set -- test/clients/*.test.ts
bun=$(node scripts/bun.mjs -p process.execPath)

had_podman=0
[[ -z $(find /sys/fs/cgroup/ -maxdepth 2 -name libpod_parent) ]] || had_podman=1
passed=0
failed=0
skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

count() { sed -n "s/^ *\([0-9][0-9]*\) $1\$/\1/p" "$log" | tail -1; }

# Runs one test file in a room of the given root, with bun; adds up its totals.
run_file() {
  local root=$1 bun=$2 file=$3 status pass fail skip
  unshare --mount --net --pid --fork --kill-child --mount-proc \
    bash test/clients/room.sh "$root" "$bun" test "./$file" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  pass=$(count pass) fail=$(count fail) skip=$(count skip)
  passed=$((passed + ${pass:-0}))
  failed=$((failed + ${fail:-0}))
  skipped=$((skipped + ${skip:-0}))
  if ((status != 0 && ${fail:-0} == 0)) || [[ -z $pass ]]; then
    echo "FAILED: $file ended with status $status"
    failed=$((failed + 1))
  fi
}

if ((own)); then
  for file; do
    # The description of the CRI is in the other root.
    [[ $file == */cri*.test.ts ]] || run_file / "$bun" "$file"
  done
fi
if ((newest)); then
  if image=$(bash scripts/make-cached.sh clients test/clients/root.sh); then
    export BINDS="${TSRUNC%/*}:dist $bun:bun"
    echo "--- $(chroot "$image/root" dpkg-query --show --showformat '${Package} ${Version}  ' \
      podman conmon buildah containerd docker.io runc)"
    for file; do
      TSRUNC=/srv/dist/${TSRUNC##*/} run_file "$image/root" /srv/bun "$file"
    done
  else
    echo "FAILED: the root of the newest engines"
    failed=$((failed + 1))
  fi
fi
# Engines leave the parents of their containers' cgroups, empty: those with the tests' name, and that of podman's
# `play kube`, which cannot be told another. A host that uses podman itself keeps its own.
parents=(-path '*/tsrunc-clients-*')
((had_podman)) || parents=(\( -path '*/tsrunc-clients-*' -o -path '*/libpod_parent*' \))
find /sys/fs/cgroup/ -depth -type d "${parents[@]}" -exec rmdir {} + || failed=$((failed + 1))
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
