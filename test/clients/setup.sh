#!/bin/bash
# Installs the container engines that are missing, from Debian. Their services are not started.
set -euo pipefail

needed=(
  "containerd-shim-runc-v2 containerd"
  "dockerd docker.io"
  "podman podman"
  "conmon conmon"
  "buildah buildah"
  # The infra container of podman's pods, and its --init.
  "catatonit catatonit"
  # Makes the root of the newest engines.
  "mmdebstrap mmdebstrap"
)
missing=()
for line in "${needed[@]}"; do
  read -r command package <<<"$line"
  command -v "$command" >/dev/null || missing+=("$package")
done
((${#missing[@]} > 0)) || exit 0
if ((EUID != 0)); then
  echo "setup: missing packages, and not root: ${missing[*]}" >&2
  exit 1
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || echo "setup: apt-get update failed, trying with the lists at hand" >&2
# A policy-rc.d that says 101 keeps the maintainers' scripts from starting the services; one that is there is kept.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
