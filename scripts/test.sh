#!/bin/bash
# Everything that must hold: set-up, build, type check, lint, unit, golden, init and end-to-end tests. Goes on after a
# failure, prints `N passed, N failed, N skipped` as the last line, and exits non-zero when anything failed.
# Arguments name the stages to run instead of all: build types lint unit plan init host cgroup fuzz e2e clients vm.
set -uo pipefail
cd "$(dirname "$0")/.."
# A certificate list of the machine's slows every start of Node and Bun; nothing here goes over the network.
unset NODE_EXTRA_CA_CERTS

passed=0
failed=0
skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

heading() { printf '\n=== %s\n' "$1"; }

wants() {
  local stage=$1
  shift
  (($# == 0)) && return 0
  [[ " $* " == *" $stage "* ]]
}

# A stage that is one check: counts as one test.
check() {
  local title=$1
  shift
  heading "$title"
  if "$@"; then passed=$((passed + 1)); else
    echo "FAILED: $title"
    failed=$((failed + 1))
  fi
}

# A folder of bun tests: adds up the totals that bun prints. An exit status that the totals do not explain (a file
# that does not load, a crash, no test at all) counts as one failure.
suite() {
  local title=$1 folder=$2
  heading "$title"
  # One process for each file: files then share neither state nor a crash.
  local file status count
  while IFS= read -r file; do
    node scripts/bun.mjs test "./$file" 2>&1 | tee "$log" | grep --line-buffered -v '^(pass)'
    status=${PIPESTATUS[0]}
    count() { sed -n "s/^ *\([0-9][0-9]*\) $1\$/\1/p" "$log" | tail -1; }
    local pass fail skip
    pass=$(count pass)
    fail=$(count fail)
    skip=$(count skip)
    passed=$((passed + ${pass:-0}))
    failed=$((failed + ${fail:-0}))
    skipped=$((skipped + ${skip:-0}))
    if ((status != 0 && ${fail:-0} == 0)) || [[ -z $pass ]]; then
      echo "FAILED: $file ended with status $status"
      failed=$((failed + 1))
    fi
  done < <(find "$folder" -name '*.test.ts' 2>/dev/null | sort)
}

# A script that runs tests elsewhere (a guest, the engines' room): adds up the totals of its last line.
totals() {
  local title=$1 script=$2
  heading "$title"
  bash "$script" 2>&1 | tee "$log" | grep --line-buffered -v '^(pass)'
  local pass fail skip
  if read -r pass fail skip < <(sed -En '$s/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$log"); then
    passed=$((passed + pass))
    failed=$((failed + fail))
    skipped=$((skipped + skip))
  else
    echo "FAILED: $script"
    failed=$((failed + 1))
  fi
}

bash scripts/setup.sh || {
  echo "FAILED: setup"
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
}
if wants build "$@"; then check "build" npm run --silent build; fi
if wants types "$@"; then check "type check" npx tsc --noEmit; fi
if wants lint "$@"; then check "lint" npm run --silent lint; fi
if wants unit "$@"; then suite "unit tests" test/unit; fi
if wants plan "$@"; then suite "golden plans" test/plan; fi
if wants init "$@"; then suite "init" test/init; fi
if wants host "$@"; then suite "host" test/host; fi
if wants cgroup "$@"; then suite "cgroup" test/cgroup; fi
if wants fuzz "$@"; then suite "fuzz" test/fuzz; fi
if wants e2e "$@"; then suite "end to end" test/e2e; fi
if wants clients "$@"; then totals "container engines" test/clients/run.sh; fi
if wants vm "$@"; then totals "guest" test/vm/run.sh; fi

heading "result"
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
