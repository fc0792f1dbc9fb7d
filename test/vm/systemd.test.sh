#!/bin/bash
# The systemd driver: a transient scope with the container's limits as its properties, read back with systemctl; the
# driver is remembered, so that update, exec, kill and delete need no flag; nothing is left.
set -euo pipefail
[[ -d /run/systemd/system && $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]] || exit 77
cd "$(mktemp -d /tmp/tsrunc-systemd.XXXXXX)"
trap 'for id in $("$TSRUNC" --root "$PWD/state" list -q); do "$TSRUNC" --root "$PWD/state" delete --force "$id"; done' EXIT

tsrunc() { "$TSRUNC" --root "$PWD/state" "$@"; }
fail() {
  echo "FAILED: $*" >&2
  exit 1
}
# same WHAT EXPECTED FOUND
same() { [[ $2 == "$3" ]] || fail "$1: expected '$2', found '$3'"; }
show() { systemctl "${user[@]}" show --property "$2" --value "$1"; }
user=()

mkdir -p rootfs/bin
cp /bin/busybox rootfs/bin/
for name in sh sleep cat true mkdir; do ln -s busybox rootfs/bin/$name; done

# config CGROUPSPATH RESOURCES [ANNOTATIONS]
config() {
  cat >config.json <<END
{ "ociVersion": "1.2.0", "root": { "path": "rootfs" }, "annotations": ${3:-{\}},
  "process": { "user": { "uid": 0, "gid": 0 }, "args": ["sleep", "1000"], "cwd": "/", "env": ["PATH=/bin"] },
  "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
  "linux": { "cgroupsPath": "$1", "resources": $2,
    "namespaces": [{ "type": "pid" }, { "type": "mount" }, { "type": "cgroup" }, { "type": "ipc" }] } }
END
}

echo "a scope in its slice, with a property for each resource"
config "test-a.slice:web:one" '{
  "memory": { "limit": 67108864, "reservation": 33554432, "swap": 134217728 },
  "cpu": { "shares": 512, "quota": 25500, "period": 50000, "cpus": "0", "mems": "0" },
  "pids": { "limit": 44 },
  "blockIO": { "throttleReadBpsDevice": [{ "major": 254, "minor": 0, "rate": 1048576 }] },
  "devices": [{ "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" }]
}' '{ "org.systemd.property.TimeoutStopSec": "uint64 7", "org.systemd.property.CollectMode": "'"'inactive-or-failed'"'" }'
tsrunc --systemd-cgroup create --bundle . one
unit=web-one.scope
cgroup=/sys/fs/cgroup/test.slice/test-a.slice/$unit
same Slice test-a.slice "$(show $unit Slice)"
same ControlGroup "/test.slice/test-a.slice/$unit" "$(show $unit ControlGroup)"
same ActiveState active "$(show $unit ActiveState)"
same Delegate yes "$(show $unit Delegate)"
same MemoryMax 67108864 "$(show $unit MemoryMax)"
same MemoryLow 33554432 "$(show $unit MemoryLow)"
same MemorySwapMax 67108864 "$(show $unit MemorySwapMax)"
same CPUWeight 59 "$(show $unit CPUWeight)"
same CPUQuotaPerSecUSec 510ms "$(show $unit CPUQuotaPerSecUSec)"
same CPUQuotaPeriodUSec 50ms "$(show $unit CPUQuotaPeriodUSec)"
same AllowedCPUs 0 "$(show $unit AllowedCPUs)"
same AllowedMemoryNodes 0 "$(show $unit AllowedMemoryNodes)"
same TasksMax 44 "$(show $unit TasksMax)"
same DevicePolicy strict "$(show $unit DevicePolicy)"
[[ $(show $unit DeviceAllow) == *"/dev/char/10:229 rw"* ]] || fail "DeviceAllow: $(show $unit DeviceAllow)"
[[ $(show $unit IOReadBandwidthMax) == *"/dev/block/254:0 1048576"* ]] || fail "IO: $(show $unit IOReadBandwidthMax)"
same TimeoutStopUSec 7s "$(show $unit TimeoutStopUSec)"
same CollectMode inactive-or-failed "$(show $unit CollectMode)"
for accounting in CPU Memory IO Tasks; do same ${accounting}Accounting yes "$(show $unit ${accounting}Accounting)"; done

echo "the cgroup's files have the exact values"
same memory.max 67108864 "$(cat $cgroup/memory.max)"
same memory.swap.max 67108864 "$(cat $cgroup/memory.swap.max)"
same cpu.max "25500 50000" "$(cat $cgroup/cpu.max)"
same cpu.weight 59 "$(cat $cgroup/cpu.weight)"
same cpuset.cpus 0 "$(cat $cgroup/cpuset.cpus)"
same pids.max 44 "$(cat $cgroup/pids.max)"
[[ $(cat $cgroup/io.max) == "254:0 rbps=1048576"* ]] || fail "io.max: $(cat $cgroup/io.max)"
pid=$(tsrunc state one | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
same cgroup "0::/test.slice/test-a.slice/$unit" "$(cat "/proc/$pid/cgroup")"

echo "update, exec, pause and kill without the flag"
tsrunc start one
tsrunc update --memory 96M --memory-swap -1 --cpu-quota 10000 --pids-limit 50 one
same MemoryMax 100663296 "$(show $unit MemoryMax)"
same MemorySwapMax infinity "$(show $unit MemorySwapMax)"
same CPUQuotaPerSecUSec 200ms "$(show $unit CPUQuotaPerSecUSec)"
same TasksMax 50 "$(show $unit TasksMax)"
same memory.max 100663296 "$(cat $cgroup/memory.max)"
same cpu.max "10000 50000" "$(cat $cgroup/cpu.max)"
same pids.max 50 "$(cat $cgroup/pids.max)"
systemctl daemon-reload
same "memory.max after a reload" 100663296 "$(cat $cgroup/memory.max)"
same "pids.max after a reload" 50 "$(cat $cgroup/pids.max)"
same "cgroup of exec" "0::/" "$(tsrunc exec one cat /proc/self/cgroup)"
if tsrunc update --cpu-quota 1 one 2>error; then fail "a quota of 1 was taken"; fi
grep -q 'cpu.quota' error || fail "$(cat error)"
same CPUQuotaPerSecUSec 200ms "$(show $unit CPUQuotaPerSecUSec)"
same cpu.max "10000 50000" "$(cat $cgroup/cpu.max)"
# The kernel takes a memory.high of 0, systemd does not.
echo '{ "pids": { "limit": 60 }, "unified": { "memory.high": "0" } }' >high.json
if tsrunc update --resources high.json one 2>error; then fail "a memory.high of 0 was taken"; fi
grep -q MemoryHigh error || fail "$(cat error)"
same TasksMax 50 "$(show $unit TasksMax)"
same pids.max 50 "$(cat $cgroup/pids.max)"
same memory.high max "$(cat $cgroup/memory.high)"
tsrunc pause one
tsrunc resume one
echo '{ "pids": { "limit": 51 }, "devices": [{ "allow": true, "access": "rwm" }] }' >all.json
tsrunc update --resources all.json one
same TasksMax 51 "$(show $unit TasksMax)"
same DevicePolicy strict "$(show $unit DevicePolicy)"
tsrunc kill one KILL
for _ in {1..50}; do tsrunc state one | grep -q stopped && break || sleep 0.1; done
tsrunc delete one
[[ ! -e $cgroup ]] || fail "$cgroup is left"
same LoadState not-found "$(show $unit LoadState)"

echo "deleting one that runs; the default name and slice"
config "" '{ "pids": { "limit": 1 }, "cpu": { "idle": 1 }, "unified": { "memory.high": "50000000", "cpu.max": "30000 100000" } }'
tsrunc --systemd-cgroup run --bundle . --detach two
unit=tsrunc-two.scope
same Slice system.slice "$(show $unit Slice)"
same TasksMax 1 "$(show $unit TasksMax)"
same MemoryHigh 50000000 "$(show $unit MemoryHigh)"
same CPUQuotaPerSecUSec 300ms "$(show $unit CPUQuotaPerSecUSec)"
same cpu.idle 1 "$(cat /sys/fs/cgroup/system.slice/$unit/cpu.idle)"
tsrunc delete --force two
[[ ! -e /sys/fs/cgroup/system.slice/$unit ]] || fail "the cgroup is left"
same LoadState not-found "$(show $unit LoadState)"

echo "a scope that failed with an earlier container is no obstacle, nor left by delete"
config "" '{}' '{ "org.systemd.property.CollectMode": "'"'inactive'"'" }'
tsrunc --systemd-cgroup create --bundle . three
tsrunc delete --force three
same LoadState not-found "$(show tsrunc-three.scope LoadState)"

echo "a container with a writable cgroup mount owns its cgroup, but not its limits"
config ":own:er" '{ "pids": { "limit": 30 } }'
sed -i 's|"mounts": \[|&{ "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup" },|;
  s|"namespaces": \[|"uidMappings": [{ "containerID": 0, "hostID": 100000, "size": 10 }], "gidMappings": [{ "containerID": 0, "hostID": 100000, "size": 10 }], &{ "type": "user" }, |' config.json
mkdir -p rootfs/proc rootfs/sys/fs/cgroup
chown -R 100000:100000 rootfs
chmod 755 .
tsrunc --systemd-cgroup run --bundle . --detach owner
cgroup=/sys/fs/cgroup/system.slice/own-er.scope
for file in . cgroup.procs cgroup.threads cgroup.subtree_control; do
  same "owner of $file" 100000 "$(stat -c %u $cgroup/$file)"
done
for file in pids.max memory.max cgroup.freeze; do same "owner of $file" 0 "$(stat -c %u $cgroup/$file)"; done
tsrunc exec owner sh -c 'mkdir /sys/fs/cgroup/inner && echo $$ >/sys/fs/cgroup/inner/cgroup.procs && cat /proc/self/cgroup' >inner
same "a cgroup of its own" "0::/inner" "$(cat inner)"
tsrunc delete --force owner
[[ ! -e $cgroup ]] || fail "$cgroup is left"

echo "errors leave nothing"
check_error() {
  local text=$1
  shift
  if tsrunc "$@" 2>error; then fail "no error: $text"; fi
  grep -qF "$text" error || fail "expected '$text' in: $(cat error)"
  [[ -z $(tsrunc list -q) ]] || fail "a container is left after: $text"
  [[ -z $(find /sys/fs/cgroup -name 'bad-*') ]] || fail "a cgroup is left after: $text"
  [[ -z $(systemctl list-units --all --no-legend 'bad-*') ]] || fail "a unit is left after: $text"
}
config /a/b '{}'
check_error 'slice:prefix:name' --systemd-cgroup create --bundle . x
config "no:bad:x" '{}'
check_error "invalid slice name: no" --systemd-cgroup create --bundle . x
config ":bad:x" '{}' '{ "org.systemd.property.NoSuchThing": "true" }'
check_error "start systemd unit bad-x.scope: StartTransientUnit: Cannot set property NoSuchThing" --systemd-cgroup create --bundle . x
config ":bad:x" '{}' '{ "org.systemd.property.X": "true" }'
check_error "a property has a name of at least three letters" --systemd-cgroup create --bundle . x
config ":bad:x" '{}' '{ "org.systemd.property.RuntimeMaxSec": "uint64 z" }'
check_error 'RuntimeMaxSec\"]: unexpected' --systemd-cgroup create --bundle . x
config ":bad:x" '{ "cpu": { "quota": 1 } }'
check_error 'cpu.quota' --systemd-cgroup create --bundle . x
config ":bad:x" '{ "memory": { "swappiness": 1 } }'
check_error 'cgroup v2 has no swappiness' --systemd-cgroup create --bundle . x

echo "two containers cannot share a unit"
config ":web:same" '{}'
tsrunc --systemd-cgroup create --bundle . four
if tsrunc --systemd-cgroup create --bundle . five 2>error; then fail "the unit was shared"; fi
grep -q 'web-same.scope' error || fail "$(cat error)"
same ActiveState active "$(show web-same.scope ActiveState)"
tsrunc state four | grep -q created || fail "the first container suffers"
tsrunc delete --force four
