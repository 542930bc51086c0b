#!/usr/bin/env bash
# Builds weir on a Debian 12 and shows its main job on sample pod logs: follow, enrich, filter, store, query, replay.
#
#   examples/demo.sh [--keep] [--no-serve]     --keep leaves the folder with logs and spools
#
# Packages that are missing are installed through apt (as root or with sudo). Needs no Loki; where LOKI_ADDR is set, the logs are
# pushed to that Loki and read back as well. On a terminal it ends with a page that shows the logs, until Ctrl-C; elsewhere, and
# with --no-serve, it ends by itself. Exit code 0 when every count was as it must be.
set -euo pipefail
cd "$(dirname "$0")/.."

keep=false
serve=true
for word; do
  case $word in
    --keep) keep=true ;;
    --no-serve) serve=false ;;
    *) sed -n '2,8s/^# \{0,1\}//p' examples/demo.sh; exit 2 ;;
  esac
done

. examples/support.sh
. tests/support/packages.sh
install_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
say "Building"
cmake --preset release > build.log 2>&1 || { cat build.log; exit 4; }
rm build.log
cmake --build --preset release --target weir weir_podgen

top=$PWD
work=$(mktemp -d)
chains=()
finish() {
  for chain in "${chains[@]}"; do kill "$chain" 2> /dev/null || true; done
  if $keep; then echo "The logs and spools are in $work"; else rm -rf "$work"; fi
}
trap finish EXIT
export PATH=$top/build/release/cmd:$top/build/release/examples:$PATH
loki_addr=${LOKI_ADDR:-}
unset LOKI_ADDR
cd "$work"
mkdir pods

say "Two chains follow the same pods: one of five processes, one in a single process"
cat > node.weir <<'PIPELINE'
# The text is what one would type in a shell, without `weir` before each stage.
tail -f --checkpoint fused.db pods |
  enrich --level --label cluster=demo |
  filter --drop '|= "/healthz"' |
  buffer fused.db --store
PIPELINE
show "weir tail -f --checkpoint spool.db pods | weir enrich --level --label cluster=demo | weir filter --drop '|= \"/healthz\"' | weir buffer spool.db --store &"
{
  # The number of tail's process is kept, to end the chain later as Ctrl-C at its head would.
  (echo "$BASHPID" > tail.pid && exec weir tail -f --checkpoint spool.db pods) |
    weir enrich --level --label cluster=demo |
    weir filter --drop '|= "/healthz"' |
    weir buffer spool.db --store
} &
pipe=$!
show "weir run --check node.weir && weir run node.weir &"
weir run --check node.weir
weir run node.weir &
fused=$!
wait_until 20 test -s tail.pid
chains=("$(cat tail.pid)" $fused)

say "Seven pods write 2,000 lines a second for eight seconds; one of them appears half-way, and files rotate as the kubelet does it"
show "podgen pods --rate 2000 --seconds 8 --pods 7 --late-pods 1 --rotate-bytes 150000 --gzip --partial"
podgen pods --rate 2000 --seconds 8 --pods 7 --late-pods 1 --rotate-bytes 150000 --gzip --partial --truth written.jsonl
wanted=$(grep -vc /healthz written.jsonl)
echo "   $(wc -l < written.jsonl) lines written, $wanted of them are to be kept"
find pods -name '0.log*' | sort | head -n 4 | sed 's/^/   /'

stored() { [ "$(weir replay "$1" -o raw 2> /dev/null | wc -l)" -ge "$wanted" ]; }
wait_until 60 stored spool.db
wait_until 60 stored fused.db
kill -TERM "${chains[@]}"
ended() { ! kill -0 "$1" 2> /dev/null; }
wait_until 30 ended $pipe
wait_until 30 ended $fused
wait || true
chains=()

expect "records in the spool of the pipe" "$(weir replay spool.db -o raw | wc -l)" "$wanted"
expect "records in the spool of the single process" "$(weir replay fused.db -o raw | wc -l)" "$wanted"
by_time_and_line() { weir replay "$1" -o jsonl | jq -c '[.timestamp, .labels, .line]' | LC_ALL=C sort | sha256sum | cut -c 1-16; }
expect "both hold the same" "$(by_time_and_line fused.db)" "$(by_time_and_line spool.db)"
show "weir spool status spool.db"
weir spool status spool.db

say "LogQL over the spool, with no Loki at all"
ask() {  # LOGQL JQ-CONDITION: the answer's first lines, and its count against the lines as they were written
  show "weir query --spool spool.db --since 1h '$1'"
  weir query --spool spool.db --since 1h --limit 3 "$1" 2> /dev/null || true
  expect "lines that match" "$(weir query --spool spool.db --since 1h -o jsonl "$1" 2> /dev/null | wc -l)" \
    "$(jq -c "select(.line | contains(\"/healthz\") | not) | select($2)" written.jsonl | wc -l)"
}
ask '{namespace="payments"} |= "request served" | json | status >= 500' \
  '.labels.namespace == "payments" and (.line | startswith("{")) and (.line | fromjson? | .status >= 500)'
ask '{namespace="checkout", stream="stderr"} != "level=debug"' \
  '.labels.namespace == "checkout" and .labels.stream == "stderr" and (.line | contains("level=debug") | not)'
show "weir query labels pod --spool spool.db --since 1h"
weir query labels pod --spool spool.db --since 1h

say "A replay: the records of one namespace once more, through a filter"
show "weir replay spool.db '{namespace=\"payments\"}' | weir filter '|= \"error\"' | head -n 2"
{ weir replay spool.db '{namespace="payments"}' | weir filter '|= "error"' | head -n 2; } || true
expect "records replayed" "$(weir replay spool.db '{namespace="payments"}' | weir filter '|= "error"' | wc -l)" \
  "$(jq -c 'select(.labels.namespace == "payments") | select(.line | contains("/healthz") | not) | select(.line | contains("error"))' written.jsonl | wc -l)"
show "weir run -c \"replay spool.db '{namespace=\\\"payments\\\"}' | filter '|= \\\"error\\\"'\" | wc -l"
expect "the same in one process" "$(weir run -c "replay spool.db '{namespace=\"payments\"}' | filter '|= \"error\"'" | wc -l)" \
  "$(weir replay spool.db '{namespace="payments"}' | weir filter '|= "error"' | wc -l)"

if [ -n "$loki_addr" ]; then
  say "To Loki at $loki_addr and back"
  export LOKI_ADDR=$loki_addr
  run=demo-$(date +%s)-$$
  show "weir replay spool.db | weir enrich --label demo=$run | weir push"
  weir replay spool.db | weir enrich --label "demo=$run" | weir push
  show "weir query '{demo=\"$run\"}' --since 1h"
  weir query "{demo=\"$run\"}" --since 1h --limit 3
  expect "records in Loki" "$(weir query "{demo=\"$run\"}" --since 1h -o jsonl | wc -l)" "$wanted"
else
  say "No LOKI_ADDR here. weir serve stands in for a Loki: the same records, pushed to it, and asked of it"
  show "weir serve served.db --listen 127.0.0.1:0 &"
  weir serve served.db --listen 127.0.0.1:0 2> served.log &
  chains=($!)
  wait_until 20 grep -q ' on http' served.log
  url=$(sed -n 's|.* on \(http.*\)/$|\1|p' served.log)
  show "weir replay spool.db | weir push $url"
  weir replay spool.db | weir push "$url"
  kill -TERM "${chains[@]}"
  wait || true
  chains=()
  expect "records received" "$(weir replay served.db -o raw | wc -l)" "$wanted"
fi

if $serve && [ -t 1 ] && [ "$bad" = 0 ]; then
  say "The page with these logs; Ctrl-C ends it"
  trap : INT
  weir serve --read-only --listen 127.0.0.1:0 spool.db || true
fi

conclude
