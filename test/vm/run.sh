#!/bin/bash
# Runs tests in guests that have what this machine may lack: unified cgroup v2, systemd, AppArmor. The first guest is a
# Debian of this machine's release; the second, for test/vm/newest, is of the suite with the newest systemd and Podman.
# usage: run.sh [--newest] [FILE...]   test files of the project; all of test/vm, and some more, unless given
#        --newest                      runs also the other files that are given in the second guest
# TSRUNC_VM_TIMEOUT: seconds for each guest (1200). TSRUNC_VM_DIST: the build to test (dist).
# The images are built once and kept (scripts/make-cached.sh). The last line of the output is
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

flag=
if [[ ${1:-} == --newest ]]; then flag=1 && shift; fi
# By default also the tests of commands that work otherwise on cgroup2.
(($# > 0)) || set -- test/vm/*.test.* test/cgroup/v2.test.ts test/e2e/{events,exec-cgroup,frozen-below,net-devices,pause,ps,stats}.test.ts \
  test/vm/newest/*.test.ts
own=() newest=()
for file; do
  file=$(realpath --relative-to=. "$file")
  if [[ -n $flag || $file == test/vm/newest/* ]]; then newest+=("$file"); else own+=("$file"); fi
done

work=$(mktemp -d "${TMPDIR:-/var/tmp}/tsrunc-vm.XXXXXX")
pid=
trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# norandmaps lets the emulator reuse translated code from one process to the next; without erms and fsrm the guest
# does not copy memory byte by byte. psi: Debian's kernel has pressure information switched off.
append="console=ttyS0 root=/dev/vda rw quiet panic=-1 mitigations=off norandmaps psi=1"
machine=(-M pc -m 2G -cpu "max,-erms,-fsrm" -smp 2 -nodefaults -no-user-config -display none -no-reboot)

# /dev/kvm may be there and of no use, as in most virtual machines: only KVM's own answer counts.
accel=tcg,thread=multi
{ timeout 20 "$qemu" "${machine[@]}" -accel kvm -S -monitor stdio <<<quit >/dev/null && accel=kvm; } 2>/dev/null || true

tar -cf "$work/project.tar" --exclude=node_modules/@biomejs --exclude=node_modules/@typescript \
  README.md package.json tsconfig.json src bin native-bindings spec-fixtures test scripts node_modules
tar -rf "$work/project.tar" --transform='s,^,dist/,' -C "$dist" tsrunc koffi.node init

passed=0 failed=0 skipped=0
# run_guest FILES [SUITE]: boots a guest, and adds up the totals of the test files in the array of that name.
run_guest() {
  local -n files=$1
  local image status=0
  image=$(bash scripts/make-cached.sh vm test/vm/image.sh "${@:2}")
  printf '%s\n' "${files[@]}" >"$work/selected"
  # The newest entry of a name is the one that is unpacked.
  tar -rf "$work/project.tar" -C "$work" selected
  : >"$work/tests"
  : >"$work/console"
  echo "guest: booting${2:+ $2} (${accel%%,*})"
  timeout -k 5 "${TSRUNC_VM_TIMEOUT:-1200}" "$qemu" "${machine[@]}" -accel "$accel" \
    -kernel "$image/vmlinuz" -initrd "$image/initrd" -append "$append" \
    -drive "file=$image/disk,format=raw,if=virtio,cache=unsafe,snapshot=on" \
    -drive "file=$work/project.tar,format=raw,if=virtio,readonly=on" \
    -serial "file:$work/console" -serial "file:$work/tests" </dev/null &
  pid=$!
  tail -n +1 -s 0.2 -f --pid="$pid" "$work/tests" | tee "$work/seen"
  wait "$pid" || status=$?
  pid=
  if [[ $(tail -n 1 "$work/seen") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) skipped=$((skipped + BASH_REMATCH[3]))
  else
    tail -n 30 "$work/console" >&2
    echo "FAILED: the guest ended before its tests (QEMU's status $status)"
    failed=$((failed + 1))
  fi
}

((${#own[@]} == 0)) || run_guest own
((${#newest[@]} == 0)) || run_guest newest forky
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
