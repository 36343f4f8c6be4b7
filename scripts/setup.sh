#!/bin/sh
# Installs the named Debian packages that this machine lacks. Where that is not possible it says so and goes on: what
# needs them tells by itself.
set -eu

missing=
for package in "$@"; do
  dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "Not installed, because that takes root on Debian:$missing" >&2
  exit 0
fi
apt-get update --quiet
# shellcheck disable=SC2086 # a list of names
DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends $missing
