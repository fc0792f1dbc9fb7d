#!/bin/bash
# Builds a guest of the tests: image.sh FOLDER [SUITE] writes FOLDER/{disk,vmlinuz,initrd}. A Debian of the machine's own
# release, or of another suite with Podman, with systemd, unified cgroup v2 and AppArmor; from the archives that the
# machine's apt uses. Needs root.
set -euo pipefail

out=$1 newest=${2:-}
packages=systemd,systemd-sysv,udev,dbus,dbus-user-session,libpam-systemd,kmod,procps,iproute2,uidmap,strace
packages+=,apparmor,runc,crun,busybox-static,python3
# Of the tools that make an initrd, suites have different ones by default.
if [[ -n $newest ]]; then packages+=,initramfs-tools,podman,conmon,catatonit; fi

# The newest kernel that is offered: a longterm one of Debian's security archive, or else the release's own.
kernel=linux-image-amd64
if [[ -z $newest ]] && apt-cache show linux-image-6.12-amd64 >/dev/null 2>&1; then kernel=linux-image-6.12-amd64; fi

sources=$(bash "$(dirname "$0")/../../scripts/debian-sources.sh" ${newest:+"$newest"})
mapfile -t sources <<<"$sources"
# shellcheck source=/dev/null
suite=${newest:-$(. /etc/os-release && echo "$VERSION_CODENAME")}

root=$out/root
# A small initrd: the modules below are all that leads to the disk.
mmdebstrap --variant=minbase --include="$packages,$kernel" --essential-hook='
  mkdir -p "$1/etc/initramfs-tools/conf.d"
  echo MODULES=list >"$1/etc/initramfs-tools/conf.d/guest"
  printf "%s\n" virtio_pci virtio_blk ext4 >"$1/etc/initramfs-tools/modules"' \
  "$suite" "$root" "${sources[@]}"
mv "$root"/boot/vmlinuz-* "$out/vmlinuz"
mv "$root"/boot/initrd.img-* "$out/initrd"
rm -rf "$root"/usr/share/{doc,man,locale} \
  "$root"/lib/modules/*/kernel/{sound,drivers/{gpu,media,scsi,iio,usb,infiniband/{hw,ulp},net/{ethernet,wireless}}}

# Without a screen, hardware to find, or a network, nothing of this has work; it only slows the boot.
for unit in systemd-udev-trigger.service getty.target systemd-networkd-wait-online.service \
  modprobe@{drm,dm_mod,efi_pstore}.service e2scrub_reap.service \
  {apt-daily,apt-daily-upgrade,dpkg-db-backup,e2scrub_all,fstrim}.timer; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
: >"$root/etc/fstab"
echo guest >"$root/etc/hostname"
printf '127.0.0.1 localhost guest\n' >"$root/etc/hosts"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"

# An ordinary user with a running `systemd --user` and every controller, for rootless tests.
chroot "$root" useradd -m -u 1000 -s /bin/bash tester
mkdir -p "$root/var/lib/systemd/linger" "$root/etc/systemd/system/user@.service.d"
: >"$root/var/lib/systemd/linger/tester"
printf '[Service]\nDelegate=cpu cpuset io memory pids\n' >"$root/etc/systemd/system/user@.service.d/delegate.conf"

# The project comes as a tar archive that is the second disk; the second serial port is the tests' output.
cat >"$root/etc/systemd/system/tests.service" <<'UNIT'
[Unit]
Description=Tests of the host's project
After=multi-user.target user@1000.service
[Service]
ExecStartPre=/bin/mkdir -p /project
ExecStartPre=/bin/tar -x -C /project -f /dev/vdb
ExecStart=/bin/bash /project/test/vm/guest.sh
ExecStopPost=/bin/sh -c 'sync; echo o >/proc/sysrq-trigger'
Delegate=yes
OOMPolicy=continue
TasksMax=infinity
TimeoutStartSec=infinity
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../tests.service "$root/etc/systemd/system/multi-user.target.wants/"

mke2fs -q -t ext4 -O ^has_journal -m 0 -E nodiscard,lazy_itable_init=1 -d "$root" "$out/disk" 6G
rm -rf --one-file-system "$root"
