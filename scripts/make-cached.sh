#!/bin/bash
# usage: make-cached.sh NAME SCRIPT [ARGUMENT...]
# Prints the folder that `SCRIPT FOLDER ARGUMENT...` has filled. It is kept in ${XDG_CACHE_HOME:-$HOME/.cache}/tsrunc-NAME
# until SCRIPT or an argument changes and it was unused for a month; two callers at a time wait for one another. What is
# going on, and the end of the log of a script that failed, go to standard error.
set -euo pipefail

name=$1 script=$2
shift 2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tsrunc-$name
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
find "$cache" -mindepth 1 -maxdepth 1 -name 'image-*' -mtime +30 -exec rm -rf --one-file-system {} +
image=$cache/image-$({ cat "$script" && printf '%s\0' "$@"; } | sha256sum | cut -c1-12)
if [[ ! -d $image ]]; then
  echo "$script: building ($image.log)" >&2
  rm -rf --one-file-system "$image.new"
  mkdir -p "$image.new"
  # In namespaces of its own, so that nothing runs on or stays mounted if this is cut short.
  if ! unshare --mount --pid --fork --kill-child --mount-proc bash "$script" "$image.new" "$@" >"$image.log" 2>&1; then
    tail -n 20 "$image.log" >&2
    rm -rf --one-file-system "$image.new"
    echo "$script: failed" >&2
    exit 1
  fi
  mv "$image.new" "$image"
fi
touch "$image"
echo "$image"
