#!/usr/bin/env bash
# Makes the folders beside it out of the chart in ../helm/weir, and before that the files of the chart that have their home elsewhere.
#
#   render.sh            writes; needs helm (or HELM_BIN)
#   render.sh --check    writes nothing; ends with 1 when something is out of date
set -euo pipefail
cd "$(dirname "$0")"
helm=${HELM_BIN:-helm}
chart=../helm/weir

check=false
case ${1:-} in
  '') ;;
  --check) check=true ;;
  *) echo "render.sh: unknown argument '$1'; it is --check or nothing" >&2; exit 2 ;;
esac
command -v "$helm" > /dev/null || { echo "cannot render the chart: there is no '$helm'; set HELM_BIN" >&2; exit 2; }

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cp -r "$chart" "$made/chart"
cp ../alerts/weir.rules.yml ../dashboard/weir.json "$made/chart/files/"
mkdir -p "$made/tree/base" "$made/tree/monitoring" "$made/tree/network-policy"

# template NAME OPTION…: one template of the chart, without what only helm needs, and without blanks at line ends.
template() {
  local name=$1
  shift
  "$helm" template weir "$made/chart" --namespace weir --kube-version 1.34.0 --show-only "templates/$name.yaml" "$@" |
    sed -e '/^ *helm\.sh\/chart:/d' -e '/^ *app\.kubernetes\.io\/managed-by: Helm$/d' -e '/^# Source:/d' -e 's/ *$//'
}
# into FILE: standard input, below a line that says where it comes from.
into() {
  { echo "# Made by render.sh from the chart in examples/helm/weir: do not edit."; sed '1{/^---$/d}'; } > "$made/tree/$1"
}
# text KEY: what a ConfigMap of one key holds.
text() { sed -n "/^  $1: |\$/,\$ { s/^    //p; /^\$/p }"; }

template namespace --set namespace.create=true | into base/namespace.yaml
for name in priorityclass serviceaccount rbac; do template $name | into base/$name.yaml; done
# kustomize makes a new name of every new pipeline, so a sum of it is not needed.
template daemonset | sed -e '/^ *checksum\/pipeline:/d' -e '/^ *# A changed pipeline restarts the pods/d' | into base/daemonset.yaml
template pipeline | text node.weir > "$made/tree/base/node.weir"
template rules | text rules > "$made/tree/base/rules"
template podmonitor --set podMonitor.enabled=true | into monitoring/podmonitor.yaml
template prometheusrule --set prometheusRule.enabled=true | into monitoring/prometheusrule.yaml
template dashboard --set dashboard.enabled=true | into monitoring/dashboard.yaml
template networkpolicy --set networkPolicy.enabled=true | into network-policy/networkpolicy.yaml

bad=0
# place FROM TO: a folder whose files are all made.
place() {
  local file
  for file in "$1"/*; do
    file=${file##*/}
    cmp -s "$1/$file" "$2/$file" && continue
    if $check; then
      echo "${2#./}/$file is out of date: run examples/kubernetes/render.sh" >&2
      bad=1
    else
      mkdir -p "$2"
      cp "$1/$file" "$2/$file"
      echo "wrote ${2#./}/$file"
    fi
  done
}
place "$made/chart/files" "$chart/files"
for folder in base monitoring network-policy; do place "$made/tree/$folder" "./$folder"; done
exit $bad
