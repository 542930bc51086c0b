# What the examples say and check as they go. Sourced, not run.

bad=0  # 1 when something was not as it must be

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
if [ ! -t 1 ] || [ -n "${NO_COLOR:-}" ]; then say() { printf '\n== %s\n' "$*"; }; fi
show() { printf '$ %s\n' "$*"; }

expect() {  # WHAT FOUND WANTED
  if [ "$2" = "$3" ]; then
    echo "   ok: $1: $2"
  else
    echo "   WRONG: $1: $2 instead of $3"
    bad=1
  fi
}

# Until the command succeeds. Goes on when the time is over: what comes next shows what is missing.
wait_until() {  # SECONDS COMMAND…
  local end=$((SECONDS + $1))
  shift
  until "$@" > /dev/null 2>&1; do
    if [ $SECONDS -ge $end ]; then
      echo "   WRONG: waited in vain for: $*"
      bad=1
      return 0
    fi
    sleep 0.2
  done
}

# Ends the example: exit code 0 when all was as it must be.
conclude() {
  if [ $bad = 0 ]; then say "All counts are as they must be"; else say "Some counts are WRONG"; fi
  exit $bad
}
