#!/bin/sh
# Enrols at the first start, with LOAM_ENROL_TOKEN, then runs. Without a token it waits for the start that brings one.
set -eu
if [ ! -f "$LOAM_STATE/config.json" ]; then
  if [ -z "${LOAM_ENROL_TOKEN:-}" ]; then
    echo 'This agent has no token yet. Make one on the page of agents, then: LOAM_ENROL_TOKEN=… docker compose up -d agent'
    exec sleep infinity
  fi
  loam-agent enrol --url "$LOAM_URL"
fi
# Spent by now; what runs here need not have it.
unset LOAM_ENROL_TOKEN
exec loam-agent run
