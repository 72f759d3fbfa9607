#!/bin/sh
# Enrols at the first start, when LOAM_ENROL_TOKEN is given, then runs.
set -eu
if [ ! -f "$LOAM_STATE/config.json" ]; then
  : "${LOAM_ENROL_TOKEN:?set LOAM_ENROL_TOKEN for the first start}"
  node apps/agent/src/main.ts enrol --url "$LOAM_URL"
fi
exec node apps/agent/src/main.ts run
