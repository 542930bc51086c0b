#!/usr/bin/env bash
# fetch.sh FOLDER: copies the definitions of PodMonitor and PrometheusRule there, out of the Go module that go.mod pins and go.sum checks.
set -euo pipefail
target=$(realpath "$1")
cd "$(dirname "$0")"
command -v go > /dev/null || { echo "fetch.sh: no Go here to fetch the module" >&2; exit 1; }
module=$(go mod download -json github.com/prometheus-operator/prometheus-operator | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
for kind in podmonitors prometheusrules; do
  cp "$module/example/prometheus-operator-crd/monitoring.coreos.com_$kind.yaml" "$target/"
done
chmod -R u+w "$target"
