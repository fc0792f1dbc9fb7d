#!/bin/bash
# Inside the guest: runs the test files that run.sh has chosen, and adds up what they tell.
# A .test.ts file is one of bun's. Any other is executed, and ends with 0 (passed), 77 (skipped) or else (failed).
exec </dev/null >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 raw -echo
cd /project || exit 1
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export TSRUNC=/project/dist/tsrunc BUN=/project/node_modules/@oven/bun-linux-x64/bin/bun

mapfile -t files <selected
systemctl is-system-running --wait >/dev/null
echo "guest: Linux $(uname -r), up for $(cut -d' ' -f1 /proc/uptime) s"

passed=0 failed=0 skipped=0
log=$(mktemp)
count() { sed -n "s/^ *\([0-9][0-9]*\) $1\$/\1/p" "$log" | tail -1; }
for file in "${files[@]}"; do
  printf '\n--- %s\n' "$file"
  begin=$SECONDS
  if [[ $file == *.test.ts ]]; then
    timeout -k 5 600 "$BUN" test "./$file" 2>&1 | tee "$log" | grep --line-buffered -Ev '^$|^bun test v|^Ran '
    status=${PIPESTATUS[0]} pass=$(count pass) fail=$(count fail) skip=$(count skip)
    passed=$((passed + ${pass:-0})) failed=$((failed + ${fail:-0})) skipped=$((skipped + ${skip:-0}))
    # What the totals do not explain: a file that does not load, a crash, no test at all.
    if [[ -z $pass ]] || ((status != 0 && ${fail:-0} == 0)); then failed=$((failed + 1)); fi
  else
    timeout -k 5 600 "./$file"
    status=$?
    case $status in
      0) passed=$((passed + 1)) ;;
      77) skipped=$((skipped + 1)) ;;
      *) failed=$((failed + 1)) ;;
    esac
  fi
  ((status == 0 || status == 77)) || echo "FAILED: $file ended with status $status"
  echo "    $((SECONDS - begin)) s"
done
printf '\n%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
sleep 0.5 # the serial port is slow
