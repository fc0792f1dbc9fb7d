#!/bin/bash
# The guest is what the other tests take it for.
set -eux
[[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]]
for controller in cpuset cpu io memory hugetlb pids; do
  grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers
done
[[ $(cat /sys/module/apparmor/parameters/enabled) == Y ]]
[[ $(systemctl is-system-running) == running ]]
[[ -S /run/user/1000/bus ]]
grep -q full /proc/pressure/memory
"$TSRUNC" --version
runc --version
crun --version
