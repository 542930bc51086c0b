#!/bin/sh
# A job of CI that proves that a pipeline delivers: pods write numbered lines, the pipeline sends them, and every line is read back.
#
#   LOKI_ADDR=http://localhost:3100 ./ci-smoke.sh
#
# Exit code 0: each record arrived once, in order, unchanged. smoke.xml has the report (JUnit). Put your own pipeline in the place of
# this one; weir smoke sets WEIR_SMOKE_DIR. ../ci has jobs for GitHub and GitLab.
set -eu
weir smoke --wait "${LOKI_WAIT:-60s}" --junit smoke.xml --via '
  tail -f $WEIR_SMOKE_DIR | enrich --level | filter --drop "|= \"GET /healthz\"" | buffer smoke.db | push'
