#!/bin/bash
# Runs tests in a guest that has what this machine may lack: unified cgroup v2, systemd, AppArmor.
# usage: run.sh [FILE...]   test files of the project; all of test/vm, and some more, unless given
# TSRUNC_VM_TIMEOUT: seconds for everything (1200). TSRUNC_VM_DIST: the build to test (dist).
# The image is built once and kept (scripts/make-cached.sh). The last line of the output is
# `N passed, N failed, N skipped`; where no guest can be booted, one test is skipped, and the reason printed.
set -euo pipefail
cd "$(dirname "$0")/../.."
dist=${TSRUNC_VM_DIST:-dist}
qemu=qemu-system-x86_64

skip() {
  echo "SKIPPED: guest: $1"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
}

[[ $(uname -m) == x86_64 ]] || skip "its image is for x86_64"
[[ $EUID == 0 ]] || skip "building its image needs root"
grep -qs '^ID=debian$' /etc/os-release || skip "it is built from Debian's packages"
for tool in "$qemu" mmdebstrap mke2fs; do
  command -v "$tool" >/dev/null || skip "no $tool (Debian: apt install qemu-system-x86 mmdebstrap e2fsprogs)"
done
[[ -x $dist/tsrunc ]] || {
  echo "run.sh: no $dist/tsrunc: npm run build" >&2
  exit 1
}

image=$(bash scripts/make-cached.sh vm test/vm/image.sh)

work=$(mktemp -d "${TMPDIR:-/var/tmp}/tsrunc-vm.XXXXXX")
pid=
trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# By default also the tests of commands that work otherwise on cgroup2.
(($# > 0)) || set -- test/vm/*.test.* test/cgroup/v2.test.ts test/e2e/{events,exec-cgroup,net-devices,pause,ps,stats}.test.ts
realpath --relative-to=. "$@" >"$work/selected"
tar -cf "$work/project.tar" --exclude=node_modules/@biomejs --exclude=node_modules/@typescript \
  package.json tsconfig.json src bin native-bindings spec-fixtures test scripts node_modules -C "$work" selected
tar -rf "$work/project.tar" --transform='s,^,dist/,' -C "$dist" tsrunc koffi.node init

# norandmaps lets the emulator reuse translated code from one process to the next; without erms and fsrm the guest
# does not copy memory byte by byte. psi: Debian's kernel has pressure information switched off.
append="console=ttyS0 root=/dev/vda rw quiet panic=-1 mitigations=off norandmaps psi=1"
machine=(-M pc -m 2G -cpu "max,-erms,-fsrm" -smp 2 -nodefaults -no-user-config -display none -no-reboot)

# /dev/kvm may be there and of no use, as in most virtual machines: only KVM's own answer counts.
accel=tcg,thread=multi
{ timeout 20 "$qemu" "${machine[@]}" -accel kvm -S -monitor stdio <<<quit >/dev/null && accel=kvm; } 2>/dev/null || true

touch "$work/tests"
echo "guest: booting (${accel%%,*})"
timeout -k 5 "${TSRUNC_VM_TIMEOUT:-1200}" "$qemu" "${machine[@]}" -accel "$accel" \
  -kernel "$image/vmlinuz" -initrd "$image/initrd" -append "$append" \
  -drive "file=$image/disk,format=raw,if=virtio,cache=unsafe,snapshot=on" \
  -drive "file=$work/project.tar,format=raw,if=virtio,readonly=on" \
  -serial "file:$work/console" -serial "file:$work/tests" </dev/null &
pid=$!
tail -n +1 -s 0.2 -f --pid="$pid" "$work/tests" | tee "$work/seen"
status=0
wait "$pid" || status=$?
pid=
if ! tail -n 1 "$work/seen" | grep -Eq '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$'; then
  tail -n 30 "$work/console" >&2
  echo "FAILED: the guest ended before its tests (QEMU's status $status)"
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
fi
tail -n 1 "$work/seen" | grep -q ' 0 failed,'
