#!/usr/bin/env bash
# Kills a chain of weir, takes its Loki away, and counts what arrives: the long version of ctest's crash tests.
#
#   tests/crash/run.sh --seconds 60 --rate 4000 --pods 4 --kills 4 --outage 15 --mode all --seed 1
#
# Prints a table. Needs the release build, and a Loki: LOKI_BIN, LOKI_ADDR, or the one that tests/run.sh --loki built.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/support/loki_cache.sh
if [ -z "${LOKI_ADDR:-}${LOKI_BIN:-}" ]; then
  export LOKI_BIN
  LOKI_BIN=$(loki_cache)/loki
  if [ ! -x "$LOKI_BIN" ]; then
    echo "tests/crash/run.sh: there is no Loki: tests/run.sh --loki builds one; LOKI_BIN or LOKI_ADDR name one" >&2
    exit 2
  fi
fi
export WEIR_BIN=${WEIR_BIN:-build/release/cmd/weir}
if [ ! -x "$WEIR_BIN" ]; then
  echo "tests/crash/run.sh: there is no $WEIR_BIN: cmake --preset release && cmake --build --preset release --target weir" >&2
  exit 2
fi
WEIR_BIN=$(realpath "$WEIR_BIN")
PYTHONPATH=tests/support:tests/loki/real PYTHONDONTWRITEBYTECODE=1 exec python3 tests/crash/crash.py "$@"
