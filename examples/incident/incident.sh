#!/usr/bin/env bash
# The walk of an incident, on sample pods, in half a minute: debug lines are held on the node; an error appears; a rule keeps all lines
# of one namespace for a while; the held lines of the minutes before are delivered; the rule expires, and everything is as before.
#
#   examples/incident/incident.sh [--keep]     --keep leaves the folder with logs and spool
#
# Needs no Loki: without one, `weir query --spool` shows what would be in Loki. Where LOKI_ADDR is set, the lines are delivered there
# and read back. Ends by itself; exit code 0 when every count was as it must be.
set -euo pipefail
[ -z "${WEIR_BIN:-}" ] || WEIR_BIN=$(realpath "$WEIR_BIN")
cd "$(dirname "$0")/../.."
keep=false
case ${1:-} in
  '') ;;
  --keep) keep=true ;;
  *) sed -n '2,9s/^# \{0,1\}//p' examples/incident/incident.sh; exit 2 ;;
esac
. examples/support.sh

export PATH=${WEIR_BIN:+$(dirname "$WEIR_BIN"):}$PWD/build/release/cmd:$PATH
command -v weir > /dev/null || { echo "build weir first: examples/demo.sh or tests/run.sh" >&2; exit 4; }
work=$(mktemp -d)
chain=
finish() {
  [ -z "$chain" ] || kill "$chain" 2> /dev/null || true
  if $keep; then echo "The logs and the spool are in $work"; else rm -rf "$work"; fi
}
trap finish EXIT
cd "$work"

run=incident-$(date +%s)-$$
log() {  # NAMESPACE LEVEL TEXT: a line as a container runtime writes it
  local folder="pods/$1_web-0_uid-$1/web"
  mkdir -p "$folder"
  printf '%s stdout F level=%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)" "$2" "$3" >> "$folder/0.log"
}
mkdir pods

say "A node: debug lines are held in the spool, everything else goes to Loki"
cat > base.rules <<'RULES'
hold | detected_level="debug"
RULES
cat > emergency.rules <<'RULES'
# Rules for an incident. `weir rules add` writes here.

RULES
store="buffer spool.db --store"
[ -z "${LOKI_ADDR:-}" ] || store="buffer spool.db | push"
cat > node.weir <<PIPELINE
tail -f pods | enrich --level --label run=$run | filter --rules emergency.rules --rules base.rules | $store
PIPELINE
cat node.weir base.rules
weir run --check node.weir
weir run node.weir &
chain=$!

# What Loki has, or without one what it would have got.
delivered() {  # NAMESPACE TEXT
  if [ -n "${LOKI_ADDR:-}" ]; then
    { weir query --since 1h --limit 0 -o jsonl "{run=\"$run\", namespace=\"$1\"} |= \"$2\"" 2> /dev/null || true; } | wc -l
  else
    { weir replay spool.db -o jsonl "{namespace=\"$1\"} |= \"$2\"" 2> /dev/null || true; } | wc -l
  fi
}
held() {  # NAMESPACE [TEXT]
  { weir replay spool.db --held -o jsonl "{namespace=\"$1\"} |= \"${2:-}\"" 2> /dev/null || true; } | wc -l
}
is() { [ "$("${@:2}")" = "$1" ]; }

for i in $(seq 50); do
  for namespace in checkout search; do
    log $namespace debug "step $i"
    log $namespace info "request $i"
  done
done
wait_until 20 is 50 delivered checkout request
wait_until 20 is 50 held checkout
expect "info lines of checkout delivered" "$(delivered checkout request)" 50
expect "debug lines of checkout delivered" "$(delivered checkout step)" 0
expect "debug lines of checkout held on the node" "$(held checkout)" 50

say "Something breaks in checkout"
log checkout error "payment refused"
wait_until 20 is 1 delivered checkout refused
show "weir rules add emergency.rules 'keep for 8s {namespace=\"checkout\"}'"
weir rules add emergency.rules 'keep for 8s {namespace="checkout"}'
began=$SECONDS
weir rules list emergency.rules base.rules

say "What happened before: the held lines of the last 20 minutes are delivered"
show "weir replay spool.db --held --release --since 20m '{namespace=\"checkout\"}'"
weir replay spool.db --held --release --since 20m '{namespace="checkout"}'
wait_until 30 is 50 delivered checkout step
expect "debug lines from before, delivered" "$(delivered checkout step)" 50
expect "of the other namespace" "$(delivered search step)" 0

say "What happens now: debug lines pass while the rule lasts"
there() { [ $(($(delivered checkout "$1") + $(held checkout "$1"))) = 1 ]; }
log checkout debug "meanwhile"
wait_until 20 there meanwhile
expect "delivered of the debug line" "$(delivered checkout meanwhile)" 1

say "The rule expires, and everything is as before"
while [ $((SECONDS - began)) -lt 9 ]; do sleep 0.5; done
log checkout debug "afterwards"
wait_until 20 there afterwards
expect "held of the debug line afterwards" "$(held checkout afterwards)" 1
weir rules list emergency.rules
show "weir spool status spool.db"
weir spool status spool.db

kill -TERM "$chain"
wait "$chain" || true
chain=
conclude
