#!/bin/bash
# Builds the root of a later Debian with the newest container engines: root.sh FOLDER writes FOLDER/root. Its packages
# come from the archive that this machine's apt uses. Needs root.
set -euo pipefail

out=$1
suite=forky
packages=containerd,docker.io,docker-cli,docker-buildx,podman,buildah,conmon,catatonit,runc,crun,busybox-static
packages+=,containernetworking-plugins,iptables,iproute2,uidmap,util-linux,mount,procps,libseccomp2
# The client of the Container Runtime Interface, cri.py: no suite has crictl.
packages+=,python3-grpcio,python3-protobuf,protobuf-compiler

source=$(bash "$(dirname "$0")/../../scripts/debian-sources.sh" "$suite")
# The interface's description is in a library of Go's, whose 2 GB of dependencies are of no use here.
# Its compiler knows no debug_redact, which changes nothing that is sent.
interface='set -eo pipefail
  cd /tmp
  apt-get download -qq golang-k8s-cri-api-dev
  dpkg-deb --fsys-tarfile golang-k8s-cri-api-dev_*.deb |
    tar -xO --wildcards "*/k8s.io/cri-api/pkg/apis/runtime/v1/api.proto" |
    sed "s/ *\[debug_redact = true\]//" >api.proto
  protoc --descriptor_set_out=/usr/share/cri-api.pb api.proto
  rm api.proto golang-k8s-cri-api-dev_*.deb'
INTERFACE=$interface mmdebstrap --variant=minbase --include="$packages" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook='chroot "$1" bash -c "$INTERFACE"' \
  "$suite" "$out/root" "$source"
