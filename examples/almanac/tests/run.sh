#!/bin/sh
# The almanac's own tests, run inside the build.
set -eu
passed=0
expect() {
  if grep -q "$1" almanac.txt; then passed=$((passed + 1)); echo "ok   $2"; else echo "FAIL $2 (no line like: $1)"; exit 1; fi
}
expect '^Almanac for 2027, 8 crops$' 'the year comes from the environment'
expect '^January: *broad-bean' 'a span may run over the end of the year'
expect '^September: nothing' 'an empty month says so'
expect '^May: .*pumpkin (120 days)' 'days to harvest stand beside the crop'
test "$(wc -l < almanac.txt)" -eq 13 && passed=$((passed + 1)) && echo 'ok   one line a month, and a heading'
echo "$passed passed"
