#!/usr/bin/env bash
# Installs Debian's chromium, which the browser tests drive. Where it cannot be had the tests skip and say so.
set -uo pipefail
command -v chromium >/dev/null && exit 0
command -v apt-get >/dev/null || { echo "chromium is missing and there is no apt-get: the browser tests are skipped"; exit 0; }
root=""
[ "$(id -u)" = 0 ] || root="sudo -n"
export DEBIAN_FRONTEND=noninteractive
{ $root apt-get update -qq && $root apt-get install -y -qq --no-install-recommends chromium; } >/dev/null ||
  echo "chromium could not be installed: the browser tests are skipped"
