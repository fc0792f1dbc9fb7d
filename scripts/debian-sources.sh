#!/bin/bash
# usage: debian-sources.sh [SUITE]
# Prints lines of sources.list, for mmdebstrap, from the archives that this machine's apt uses: those of its own release,
# with the updates and security's, or those of another suite, main alone.
set -euo pipefail

if (($# == 0)); then
  lines=$(apt-get indextargets 'Created-By: Packages' 'Origin: Debian' \
    --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' | sort -u)
else
  # A mirror that is a snapshot offers lists whose time is over; the machine's apt says whether they are good.
  eval "$(apt-config shell valid Acquire::Check-Valid-Until/b date Acquire::Check-Date/b)"
  lines=$(apt-get indextargets 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' --format \
    "deb [check-valid-until=${valid:-true} check-date=${date:-true}] \$(REPO_URI) $1 main" | sort -u | head -n 1)
fi
[[ -n $lines ]] || {
  echo "debian-sources: apt knows no Debian archive; apt-get update may help" >&2
  exit 1
}
echo "$lines"
