#!/bin/sh
# The logs of one workload, from a laptop: no access to the nodes is needed, only `kubectl logs`. Ends with Ctrl-C.
#
#   LOKI_ADDR=http://localhost:3100 ./kubectl-logs.sh checkout app=web
#
# --timestamps gives each line the time at which it was written. The lines of all pods of the workload are one stream: kubectl does not
# say where a line comes from, unless it changes the line. Nothing remembers what was sent: a second run sends the last hour again, and
# Loki stores a line of the same time and text once.
set -eu
namespace=${1:?name the namespace}
selector=${2:?name the labels of the pods, for example app=web}

kubectl logs --follow --timestamps --all-containers --since=1h --max-log-requests=50 --namespace "$namespace" --selector "$selector" |
  weir tail --format rfc3339 - |
  weir enrich --level --label "namespace=$namespace" --label "service_name=${selector##*=}" |
  weir push
