#!/usr/bin/env bash
# Installs the distribution's packages that a verb needs, if they are missing.
# Usage: tools/install-system.sh build|test|services|bench|pictures|fuzz ...
set -euo pipefail

packages=()
for group in "$@"; do
  case $group in
    build) packages+=(g++ cmake ninja-build python3-dev python3-venv zlib1g-dev) ;;
    test) packages+=(libgtest-dev curl logrotate) ;;
    services) packages+=(postgresql-15 mariadb-server redis-server openssl libmariadb-dev pkg-config iproute2 util-linux haproxy nginx-light prometheus chromium) ;;
    bench) packages+=(wrk valgrind libev-dev libbenchmark-dev util-linux) ;;
    pictures) packages+=(pngquant) ;;
    fuzz) packages+=(clang-19 libclang-rt-19-dev) ;;
    *) echo "unknown group: $group" >&2; exit 2 ;;
  esac
done

command -v dpkg-query >/dev/null || exit 0
missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
  [[ $state == ii* ]] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

run=()
[ "$(id -u)" -eq 0 ] || run=(sudo)
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# The tests start clusters of their own; the packages' services stay down.
if [ ! -e /usr/sbin/policy-rc.d ] && [ "$(id -u)" -eq 0 ]; then
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
"${run[@]}" apt-get update -qq
"${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
