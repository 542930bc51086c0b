#!/usr/bin/env bash
# Measures weir: CPU seconds, memory and bytes written of each stage and of whole chains, beside cat, grep and jq on the same input.
#
#   tests/bench/run.sh [--mb 256] [--tree DIR]
#                      [--only stages,chains,same,rules,metrics,kubernetes,hold,durable,tracked,spill,outage,memory,loki,live,churn,first-start,multiline,journal]
#                      [--live-seconds 30] [--outage-lines 1500000] [--churn-pods 40000] [--first-start-mb 1000]
#                      [--first-start-tail OPTIONS] [--runs 5] [--changes 100] [--hold-seconds 60] [--hold-lines 14400000]
#                      [--release-mb 500] [--release-rates 1MiB,0] [--dir DIR]
#
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
if [ -z "${LOKI_BIN:-}${LOKI_ADDR:-}" ]; then
  . tests/support/loki_cache.sh
  cached=$(loki_cache)/loki
  if [ -x "$cached" ]; then export LOKI_BIN=$cached; fi
fi
export WEIR_BIN WEIR_PODGEN WEIR_SINK PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=tests/support:tests/loki/real:tests/bench
exec python3 tests/bench/bench.py "$@"
