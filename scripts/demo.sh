#!/bin/bash
# `npm run demo`: installs what is missing, builds, makes a bundle from Debian's busybox, runs it, and takes a second
# container through its whole life by hand. Leaves no container, mount or cgroup; safe to repeat.
set -euo pipefail
cd "$(dirname "$0")/.."
unset NODE_EXTRA_CA_CERTS

if ((EUID != 0)); then
  echo "demo: must run as root" >&2
  exit 1
fi
bash scripts/setup.sh
npm run --silent build

tsrunc=$PWD/dist/tsrunc
folder=$(mktemp -d /tmp/tsrunc-demo-XXXXXX)
chmod 755 "$folder"
root=$folder/state
bundle=$folder/bundle
first=demo-$$-run
second=demo-$$-steps
clean() {
  for id in "$first" "$second"; do "$tsrunc" --root "$root" delete --force "$id" >/dev/null 2>&1 || true; done
  rm -rf --one-file-system "$folder"
}
trap clean EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
# Shows a command as the user would type it, and runs it with the demo's own state directory.
show() {
  printf '\033[1m$ tsrunc %s\033[0m\n' "$*"
  "$tsrunc" --root "$root" "$@"
}

say "A bundle: a root file system with busybox, and config.json"
mkdir -p "$bundle"/rootfs/{bin,dev,etc,proc,root,sys,tmp}
cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
for applet in $(busybox --list); do
  [[ $applet == busybox ]] || ln -sf busybox "$bundle/rootfs/bin/$applet"
done
echo 'root:x:0:0:root:/root:/bin/sh' >"$bundle/rootfs/etc/passwd"
(cd "$bundle" && show spec)

# Changes config.json: the words of the process, and no terminal.
configure() {
  node -e '
    const fs = require("node:fs");
    const [file, ...args] = process.argv.slice(1);
    const config = JSON.parse(fs.readFileSync(file, "utf8"));
    config.hostname = "demo";
    config.root.readonly = true;
    config.process.terminal = false;
    config.process.args = args;
    fs.writeFileSync(file, JSON.stringify(config, null, 2));
  ' "$bundle/config.json" "$@"
}

say "The container's own view: its name, its process 1, its mounts, its ids"
configure sh -c '
  echo "hostname: $(hostname)"
  echo "pid:      $$"
  echo "ids:      $(id)"
  echo "root:     $(echo /*)"
  echo "network:  $(ip -o link | cut -d: -f2 | tr -d "\n")"
  echo "mounts:"
  awk "{ printf \"  %-16s %s\n\", \$2, \$3 }" /proc/mounts'
show run --bundle "$bundle" "$first"

say "The life of a second one, step by step"
configure sleep 60
show create --bundle "$bundle" "$second"
show state "$second"
echo
show start "$second"
show list
show exec "$second" ps
show kill "$second" KILL
for _ in $(seq 100); do
  "$tsrunc" --root "$root" state "$second" | grep -q '"stopped"' && break
  sleep 0.02
done
show delete "$second"
show list

say "What is left"
left=$(grep -c "$folder" /proc/self/mountinfo || true)
groups=$(find /sys/fs/cgroup -type d -name "demo-$$-*" 2>/dev/null | wc -l)
echo "mounts: $left, cgroups: $groups, containers: $("$tsrunc" --root "$root" list --quiet | wc -l)"
[[ $left == 0 && $groups == 0 ]]
