#!/bin/bash
# AppArmor: a loaded profile confines the container's process and execs; a missing one is an error before anything runs.
set -euo pipefail
[[ $(cat /sys/module/apparmor/parameters/enabled 2>/dev/null) == Y ]] || exit 77
cd "$(mktemp -d /tmp/tsrunc-apparmor.XXXXXX)"
trap 'for id in $("$TSRUNC" --root "$PWD/state" list -q); do "$TSRUNC" --root "$PWD/state" delete --force "$id"; done' EXIT

tsrunc() { "$TSRUNC" --root "$PWD/state" "$@"; }
fail() {
  echo "FAILED: $*" >&2
  exit 1
}
# same WHAT EXPECTED FOUND
same() { [[ $2 == "$3" ]] || fail "$1: expected '$2', found '$3'"; }

for name in test other; do
  apparmor_parser --replace <<END
profile tsrunc-$name flags=(attach_disconnected, mediate_deleted) {
  file,
  capability,
  network,
  signal,
  ptrace,
  mount,
  umount,
  deny /secret-of-$name r,
}
END
done

mkdir -p rootfs/{bin,proc,dev}
cp /bin/busybox rootfs/bin/
for name in sh sleep cat true mkdir; do ln -s busybox rootfs/bin/$name; done
echo text >rootfs/secret-of-test
echo text >rootfs/secret-of-other

proc='{ "destination": "/proc", "type": "proc", "source": "proc" }'
dev='{ "destination": "/dev", "type": "tmpfs", "source": "tmpfs" }'
# config ARGS PROFILE NO_NEW_PRIVILEGES [LINUX [MOUNTS [NAMESPACES]]]
config() {
  cat >config.json <<END
{ "ociVersion": "1.2.0", "root": { "path": "rootfs" },
  "process": { "user": { "uid": 0, "gid": 0 }, "args": $1, "cwd": "/", "env": ["PATH=/bin"],
    "apparmorProfile": "$2", "noNewPrivileges": $3 },
  "mounts": [${5-$proc,} $dev],
  "linux": { ${4-} "namespaces": [{ "type": "pid" }, { "type": "mount" }, { "type": "ipc" }${6-}] } }
END
}
label='["cat", "/proc/self/attr/current"]'
user='"uidMappings": [{ "containerID": 0, "hostID": 100000, "size": 65536 }], "gidMappings": [{ "containerID": 0, "hostID": 100000, "size": 65536 }],'

echo "the profile is the process's, and forbids what it forbids"
for nnp in true false; do
  config "$label" tsrunc-test $nnp
  same "label, no_new_privs $nnp" "tsrunc-test (enforce)" "$(tsrunc run --bundle . one)"
  same "label under runc" "tsrunc-test (enforce)" "$(runc --root "$PWD/runc" run --bundle . one)"
  config '["sh", "-c", "cat /secret-of-other /secret-of-test; true"]' tsrunc-test $nnp
  out=$(tsrunc run --bundle . one 2>&1)
  [[ $out == *"text"* && $out == *"/secret-of-test': Permission denied"* ]] || fail "$out"
done

echo "unconfined, and no profile"
for profile in unconfined ""; do
  config "$label" "$profile" true
  same "label of '$profile'" unconfined "$(tsrunc run --bundle . one)"
done

echo "in a user namespace, and without /proc in the container"
chmod 755 . rootfs
config "$label" tsrunc-test true "$user" "$proc," ', { "type": "user" }'
same "label in a user namespace" "tsrunc-test (enforce)" "$(tsrunc run --bundle . one)"
config '["sleep", "1000"]' tsrunc-test true '' ''
tsrunc run --detach --bundle . two
pid=$(tsrunc state two | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
same "label as the host sees it" "tsrunc-test (enforce)" "$(cat "/proc/$pid/attr/current")"
tsrunc delete --force two

echo "exec: the container's profile, another one, none"
for kind in host user; do
  if [[ $kind == user ]]; then
    config '["sleep", "1000"]' tsrunc-test true "$user" "$proc," ', { "type": "user" }'
  else config '["sleep", "1000"]' tsrunc-test false; fi
  tsrunc run --detach --bundle . three
  read_label=(cat /proc/self/attr/current)
  same "label of exec ($kind)" "tsrunc-test (enforce)" "$(tsrunc exec three "${read_label[@]}")"
  same "label of exec --apparmor ($kind)" "tsrunc-other (enforce)" "$(tsrunc exec --apparmor tsrunc-other three "${read_label[@]}")"
  same "label of exec --apparmor '' ($kind)" "tsrunc-test (enforce)" "$(tsrunc exec --apparmor "" three "${read_label[@]}")"
  out=$(tsrunc exec --apparmor tsrunc-other three sh -c 'cat /secret-of-test /secret-of-other; true' 2>&1)
  [[ $out == *"text"* && $out == *"/secret-of-other': Permission denied"* ]] || fail "$out"
  echo '{ "user": { "uid": 0, "gid": 0 }, "args": ["cat", "/proc/self/attr/current"], "cwd": "/", "env": ["PATH=/bin"] }' >process.json
  same "label of exec --process without one ($kind)" "tsrunc-test (enforce)" "$(tsrunc exec --process process.json three)"
  echo '{ "user": { "uid": 0, "gid": 0 }, "args": ["cat", "/proc/self/attr/current"], "cwd": "/", "env": ["PATH=/bin"], "apparmorProfile": "tsrunc-other" }' >process.json
  same "label of exec --process with one ($kind)" "tsrunc-other (enforce)" "$(tsrunc exec --process process.json three)"
  status=0
  tsrunc exec --apparmor no-such-profile three true 2>error || status=$?
  same "status of exec with a missing profile" 255 $status
  grep -qF 'apparmor failed to apply profile no-such-profile: no such file or directory' error || fail "$(cat error)"
  tsrunc delete --force three
done

echo "a profile that is not loaded is an error of create, and nothing is left"
config "$label" no-such-profile true
if tsrunc create --bundle . four 2>error; then fail "no error"; fi
grep -qF 'process.apparmorProfile: apparmor failed to apply profile no-such-profile: no such file or directory' error || fail "$(cat error)"
[[ -z $(tsrunc list -q) ]] || fail "a container is left"
[[ -z $(find /sys/fs/cgroup -name four) ]] || fail "a cgroup is left"

echo "nothing that an image puts at /proc gets the label (CVE-2019-16884)"
config "$label" tsrunc-test true '' '{ "destination": "/proc", "type": "tmpfs", "source": "tmpfs" },'
if tsrunc run --bundle . five 2>error; then fail "no error"; fi
grep -q '/proc' error || fail "$(cat error)"
rmdir rootfs/proc
mkdir -p rootfs/fake/self/attr/apparmor rootfs/fake/thread-self/attr/apparmor
touch rootfs/fake/self/attr/apparmor/exec rootfs/fake/thread-self/attr/apparmor/exec
ln -s fake rootfs/proc
config '["sleep", "1000"]' tsrunc-test true '' ''
tsrunc run --detach --bundle . six
pid=$(tsrunc state six | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
same "label beside a false /proc" "tsrunc-test (enforce)" "$(cat "/proc/$pid/attr/current")"
[[ ! -s rootfs/fake/thread-self/attr/apparmor/exec ]] || fail "the label went into the image"
tsrunc delete --force six
