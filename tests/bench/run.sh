#!/usr/bin/env bash
# Measures weir: CPU seconds, memory and bytes written of each stage and of whole chains, beside cat, grep and jq on the same input.
#
#   tests/bench/run.sh [--mb 256] [--tree DIR]
#                      [--only stages,chains,same,rules,metrics,kubernetes,hold,query,serve,durable,tracked,spill,outage,memory,loki,live,churn,first-start,multiline,journal,peers]
#                      [--live-seconds 30] [--outage-lines 1500000] [--churn-pods 40000] [--first-start-mb 1000]
#                      [--first-start-tail OPTIONS] [--runs 5] [--changes 100] [--hold-seconds 60] [--hold-lines 14400000] [--query-mb 1000]
#                      [--release-mb 500] [--release-rates 1MiB,0] [--dir DIR]
#
# Without --only all but peers, which measures vlagent, Promtail and logcli as well; they are built once from their Go modules.
# The input is made by examples/podgen.cc, or any pods tree named by --tree. LOKI_BIN or LOKI_ADDR names a Loki; the cache of
# tests/run.sh --loki is looked at as well. Each figure with a limit says so; exit 1 when one was missed.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build/release
: "${WEIR_BIN:=$build/cmd/weir}" "${WEIR_PODGEN:=$build/examples/podgen}" "${WEIR_SINK:=$build/tests/support/weir_sink}"
if [ ! -x "$WEIR_BIN" ]; then
  cmake --preset release
  cmake --build --preset release
fi
. tests/support/loki_cache.sh
if [ -z "${LOKI_BIN:-}${LOKI_ADDR:-}" ]; then
  cached=$(loki_cache)/loki
  if [ -x "$cached" ]; then export LOKI_BIN=$cached; fi
fi
# peer VARIABLE FOLDER PROGRAM NAME WHAT [GO BUILD FLAG…]: the program of a peer, unless VARIABLE names one.
peer() {
  local variable=$1 folder=$2 program=$3
  [ -z "${!variable:-}" ] || return 0
  [ -x "$folder/$program" ] || build_server "$4" "$folder" "${@:5}" || { echo "SKIPPED: $5: $why" >&2; return 0; }
  export "$variable=$folder/$program"
}
if [[ " $* " =~ [\ ,=]peers[\ ,] ]]; then
  peer VLAGENT_BIN "$(peers_cache)" vlagent bench/peers vlagent
  peer PROMTAIL_BIN "$(promtail_cache)" promtail promtail Promtail -tags netgo
  peer LOGCLI_BIN "$(loki_cache)" logcli loki "logcli, and Loki, which takes about six minutes on two cores," -tags noasm,netgo
  : "${LOKI_BIN:=$(loki_cache)/loki}"
  if [ -x "$LOKI_BIN" ]; then export LOKI_BIN; else unset LOKI_BIN; fi
fi
export WEIR_BIN WEIR_PODGEN WEIR_SINK PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=tests/support:tests/loki/real:tests/bench
exec python3 tests/bench/bench.py "$@"
