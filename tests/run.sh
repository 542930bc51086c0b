#!/usr/bin/env bash
# Builds weir and runs its tests, on a bare Debian 12 as well: missing packages are installed through apt.
#
#   tests/run.sh               release build, every test that needs no Loki and no Kubernetes
#   tests/run.sh --loki        … and those against a real Loki, built once from tests/loki/go.mod (Go >= 1.21 fetches the rest),
#                              or the binary in LOKI_BIN with the logcli beside it, or the server at LOKI_ADDR; and against a
#                              VictoriaLogs, built in the same way (15 seconds), or the binary in VICTORIALOGS_BIN; and against a
#                              Promtail (tests/promtail/go.mod), or the binary in PROMTAIL_BIN; and upgrade and roll-back with the
#                              release before, built out of the history (tests/upgrade/release), or the binary in WEIR_RELEASE_BIN
#   tests/run.sh --kube        … and those against a real Kubernetes API server, built once from tests/kube/go.mod and
#                              tests/etcd/go.mod (6 minutes), or the binaries in KUBE_APISERVER_BIN, KUBECTL_BIN and ETCD_BIN;
#                              and of the chart, with helm (tests/helm/go.mod, 2 minutes, or HELM_BIN) and the definitions of the
#                              Prometheus operator (tests/prometheus-operator/go.mod, or the folder PROMETHEUS_OPERATOR_CRDS)
#   tests/run.sh --sanitize    … and the unit tests and fuzz targets once more with AddressSanitizer and UndefinedBehaviorSanitizer
#   tests/run.sh --bench       … and the benchmarks (tests/bench/run.sh)
#
# A suite without its server is skipped, and says so; where CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

with_loki=false with_kube=false with_bench=false with_sanitizers=false
for argument in "$@"; do
  case $argument in
    --loki) with_loki=true ;;
    --kube) with_kube=true ;;
    --bench) with_bench=true ;;
    --sanitize) with_sanitizers=true ;;
    -h | --help) sed -n '2,18s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "tests/run.sh: unknown argument '$argument' (try --help)" >&2; exit 2 ;;
  esac
done

say() { printf '\n== %s\n' "$*"; }

. tests/support/packages.sh
. tests/support/loki_cache.sh
install_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}" "${PROMETHEUS_PACKAGES[@]}" "${DEBIAN_PACKAGES[@]}" "${IMAGE_PACKAGES[@]}"

say "Building (release)"
cmake --preset release
cmake --build --preset release

failed=0 reports=()
# Runs ctest with these arguments; what it counted is added up at the end.
test_with() {
  local report
  report=$(mktemp)
  reports+=("$report")
  # Whole chains wait for each other most of the time: four tests a core, and tests/costs.cmake says which of them count as several.
  ctest --parallel "$((4 * $(nproc)))" --output-junit "$report" "$@" || failed=1
}
# skip WHAT WHY: says so.
skip() {
  say "SKIPPED: the tests against $1: $2"
  if [ "${CI:-}" = true ]; then
    echo "CI=true: a skipped suite is a failure" >&2
    failed=1
  fi
}

# Leaves LOKI_BIN and LOGCLI_BIN set, or says why there are none. Both are tools of tests/loki/go.mod, and are built together.
find_loki() {
  local folder
  folder=$(loki_cache)
  if [ -n "${LOKI_ADDR:-}${LOKI_BIN:-}" ]; then
    # A Loki of one's own comes with a logcli at its side, or with none.
    [ -z "${LOKI_BIN:-}" ] || folder=$(dirname "$LOKI_BIN")
    if [ -z "${LOGCLI_BIN:-}" ] && [ -x "$folder/logcli" ]; then export LOGCLI_BIN=$folder/logcli; fi
    return 0
  fi
  if [ ! -x "$folder/loki" ] && ! build_server loki "$folder" "Loki, which takes about six minutes on two cores," -tags noasm,netgo; then
    skip "a real Loki" "$why, and neither LOKI_BIN nor LOKI_ADDR is set"
    with_loki=false
    return 0
  fi
  export LOKI_BIN=$folder/loki LOGCLI_BIN=${LOGCLI_BIN:-$folder/logcli}
}
# The same for VICTORIALOGS_BIN, without which only a cousin of Loki is not tried.
find_victorialogs() {
  [ -z "${VICTORIALOGS_BIN:-}" ] || return 0
  local folder
  folder=$(victorialogs_cache)
  if [ ! -x "$folder/victoria-logs" ] && ! build_server victorialogs "$folder" VictoriaLogs; then
    say "SKIPPED: the test against a real VictoriaLogs: $why, and VICTORIALOGS_BIN is not set"
    return 0
  fi
  export VICTORIALOGS_BIN=$folder/victoria-logs
}
# Leaves KUBE_APISERVER_BIN, KUBECTL_BIN and ETCD_BIN set, or says why there are none.
find_kube() {
  local folder
  if [ -z "${KUBE_APISERVER_BIN:-}" ] || [ -z "${KUBECTL_BIN:-}" ]; then
    folder=$(kube_cache)
    if [ ! -x "$folder/kube-apiserver" ] && ! build_server kube "$folder" "kube-apiserver and kubectl, which takes about five minutes on two cores,"; then
      skip "a real Kubernetes API server" "$why, and KUBE_APISERVER_BIN or KUBECTL_BIN is not set"
      with_kube=false
      return 0
    fi
    export KUBE_APISERVER_BIN=${KUBE_APISERVER_BIN:-$folder/kube-apiserver} KUBECTL_BIN=${KUBECTL_BIN:-$folder/kubectl}
  fi
  [ -z "${ETCD_BIN:-}" ] || return 0
  folder=$(etcd_cache)
  if [ ! -x "$folder/server" ] && ! build_server etcd "$folder" etcd; then
    skip "a real Kubernetes API server" "$why, and ETCD_BIN is not set"
    with_kube=false
    return 0
  fi
  export ETCD_BIN=$folder/server
}
# The same for PROMTAIL_BIN, without which no node is taken over from a real one. Without cgo it has no journal, and needs no library.
find_promtail() {
  [ -z "${PROMTAIL_BIN:-}" ] || return 0
  local folder
  folder=$(promtail_cache)
  if [ ! -x "$folder/promtail" ] && ! build_server promtail "$folder" Promtail -tags netgo; then
    say "SKIPPED: the test against a real Promtail: $why, and PROMTAIL_BIN is not set"
    return 0
  fi
  export PROMTAIL_BIN=$folder/promtail
}
# HELM_BIN and PROMETHEUS_OPERATOR_CRDS, without which the chart is not tried.
find_helm() {
  local folder building
  if [ -z "${HELM_BIN:-}" ]; then
    folder=$(helm_cache)
    if [ ! -x "$folder/helm" ] && ! build_server helm "$folder" helm; then
      skip "the chart" "$why, and HELM_BIN is not set"
      return 0
    fi
    export HELM_BIN=$folder/helm
  fi
  [ -z "${PROMETHEUS_OPERATOR_CRDS:-}" ] || return 0
  folder=$(operator_cache)
  if [ ! -d "$folder" ]; then
    mkdir -p "${folder%/*}"
    building=$(mktemp -d "$folder.XXXXXX")
    if ! tests/prometheus-operator/fetch.sh "$building"; then
      rm -rf "$building"
      skip "the chart" "the definitions of the Prometheus operator cannot be had, and PROMETHEUS_OPERATOR_CRDS is not set"
      return 0
    fi
    mv -T "$building" "$folder" 2> /dev/null || rm -rf "$building"
  fi
  export PROMETHEUS_OPERATOR_CRDS=$folder
}
# Leaves WEIR_RELEASE_BIN set: weir of the release before, which is the commit in tests/upgrade/release. It is built once out of the
# history of this tree (8 minutes on two cores; 10 seconds of CPU where ccache has it). A clone without that history does not try it.
find_release() {
  [ -z "${WEIR_RELEASE_BIN:-}" ] || return 0
  local commit folder
  read -r commit < tests/upgrade/release
  folder=$(release_cache "$commit")
  if [ ! -x "$folder/weir" ]; then
    if ! git rev-parse --quiet --verify "$commit^{tree}" > /dev/null 2>&1; then
      say "SKIPPED: upgrade and roll-back: this clone has no commit $commit (git fetch --unshallow), and WEIR_RELEASE_BIN is not set"
      return 0
    fi
    say "Building the release before ($commit) into $folder (once)"
    if ! tests/upgrade/build.sh "$commit" "$folder"; then
      skip "the release before" "it does not build here, and WEIR_RELEASE_BIN is not set"
      return 0
    fi
  fi
  export WEIR_RELEASE_BIN=$folder/weir
}
if $with_loki; then
  find_release
  find_loki
  find_victorialogs
  find_promtail
fi
if $with_kube; then find_kube; fi
if $with_kube; then find_helm; fi

say "Testing"
excluded=()
$with_kube || excluded+=(kube)
$with_loki || excluded+=(loki)
selection=()
if [ ${#excluded[@]} -gt 0 ]; then selection=(--label-exclude "^($(IFS='|'; echo "${excluded[*]}"))$"); fi
if $with_loki; then
  if [ -n "${LOKI_ADDR:-}" ]; then echo "Loki: the server at $LOKI_ADDR"; else echo "Loki: $("$LOKI_BIN" -version 2> /dev/null | head -n 1)"; fi
fi
test_with --preset release "${selection[@]}"

if $with_sanitizers; then
  say "Building and testing (AddressSanitizer, UndefinedBehaviorSanitizer)"
  cmake --preset debug
  cmake --build --preset debug
  test_with --preset debug --tests-regex '^(unit|fuzz)\.'
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
