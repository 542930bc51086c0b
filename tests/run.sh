#!/usr/bin/env bash
# Builds weir and runs its tests, on a bare Debian 12 as well: missing packages are installed through apt.
#
#   tests/run.sh               release build, every test that needs no Loki
#   tests/run.sh --loki        … and those against a real Loki, built once from tests/loki/go.mod (Go >= 1.21 fetches the rest),
#                              or the binary in LOKI_BIN, or the server at LOKI_ADDR
#   tests/run.sh --sanitize    … and the unit tests once more with AddressSanitizer and UndefinedBehaviorSanitizer
#   tests/run.sh --bench       … and the benchmarks (tests/bench/run.sh)
#
# Without a Loki the suite is skipped, and says so; where CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

with_loki=false with_bench=false with_sanitizers=false
for argument in "$@"; do
  case $argument in
    --loki) with_loki=true ;;
    --bench) with_bench=true ;;
    --sanitize) with_sanitizers=true ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "tests/run.sh: unknown argument '$argument' (try --help)" >&2; exit 2 ;;
  esac
done

say() { printf '\n== %s\n' "$*"; }

. tests/support/packages.sh
. tests/support/loki_cache.sh
install_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"

say "Building (release)"
cmake --preset release
cmake --build --preset release

failed=0 reports=()
# Runs ctest with these arguments; what it counted is added up at the end.
test_with() {
  local report
  report=$(mktemp)
  reports+=("$report")
  ctest --parallel "$(nproc)" --output-junit "$report" "$@" || failed=1
}
skip_loki() {
  say "SKIPPED: the tests against a real Loki: $1"
  if [ "${CI:-}" = true ]; then
    echo "CI=true: a skipped suite is a failure" >&2
    failed=1
  fi
  with_loki=false
}

# Leaves LOKI_BIN set, or says why there is none.
find_loki() {
  [ -z "${LOKI_ADDR:-}${LOKI_BIN:-}" ] || return 0
  local folder version
  folder=$(loki_cache)
  if [ ! -x "$folder/loki" ]; then
    command -v go > /dev/null || { skip_loki "no Go here to build it, and neither LOKI_BIN nor LOKI_ADDR is set"; return 0; }
    version=$(go env GOVERSION | sed 's/^go//')
    if ! printf '1.21\n%s\n' "$version" | sort -V -C; then
      skip_loki "Go $version is too old to build it (1.21 fetches the toolchain it needs)"
      return 0
    fi
    say "Building Loki into $folder (once; about six minutes on two cores)"
    mkdir -p "${folder%/*}"
    local building
    building=$(mktemp -d "$folder.XXXXXX")
    if ! (cd tests/loki && CGO_ENABLED=0 go build -trimpath -tags noasm,netgo -ldflags '-s -w' -o "$building" tool); then
      rm -rf "$building"
      skip_loki "it does not build here"
      return 0
    fi
    # Another run may have been faster; both built the same.
    mv -T "$building" "$folder" 2> /dev/null || rm -rf "$building"
  fi
  export LOKI_BIN=$folder/loki
}
if $with_loki; then find_loki; fi

say "Testing"
selection=(--label-exclude loki)
if $with_loki; then
  selection=()
  if [ -n "${LOKI_ADDR:-}" ]; then echo "Loki: the server at $LOKI_ADDR"; else echo "Loki: $("$LOKI_BIN" -version 2> /dev/null | head -n 1)"; fi
fi
test_with --preset release "${selection[@]}"

if $with_sanitizers; then
  say "Building and testing (AddressSanitizer, UndefinedBehaviorSanitizer)"
  cmake --preset debug
  cmake --build --preset debug
  test_with --preset debug --tests-regex '^unit\.'
fi

if $with_bench; then
  say "Benchmarks"
  tests/bench/run.sh || failed=1
fi

count() { cat "${reports[@]}" | sed -n "s/^[[:space:]]*$1=\"\([0-9]*\)\".*/\1/p" | awk '{ n += $1 } END { print n + 0 }'; }
tests=$(count tests) bad=$(count failures) skipped=$(count skipped)
rm -f "${reports[@]}"
printf '\n%d passed, %d failed, %d skipped\n' $((tests - bad - skipped)) "$bad" "$skipped"
exit $failed
