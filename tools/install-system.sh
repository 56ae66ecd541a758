#!/usr/bin/env bash
# Sees to the distribution's packages that a verb needs: installs as root those that are
# missing, and names them for anybody else, whose machine stays as it is.
# Usage: tools/install-system.sh build|test|services|bench|pictures|fuzz|roots ...
set -euo pipefail

needed() {
  case $1 in
    build) echo g++ cmake ninja-build python3-dev python3-venv zlib1g-dev libssl-dev ;;
    test) echo libgtest-dev libnghttp2-dev pkg-config curl logrotate ;;
    services) echo postgresql mariadb-server redis-server openssl \
      libmariadb-dev pkg-config iproute2 util-linux haproxy nginx-light prometheus \
      chromium systemd golang-go memcached mosquitto rabbitmq-server slapd openssh-server \
      odbc-postgresql libldap-dev libsasl2-dev libmemcached-dev ;;
    bench) echo wrk valgrind libev-dev libbenchmark-dev util-linux ;;
    pictures) echo pngquant ;;
    roots) echo debootstrap debian-archive-keyring iproute2 util-linux ;;
    fuzz) echo clang-19 libclang-rt-19-dev libnghttp2-dev pkg-config ;;
    *) echo "unknown group: $1" >&2; return 2 ;;
  esac
}

is_missing() {
  local state
  # Whoever has Go has it from its authors more often than from the distribution.
  if [ "$1" = golang-go ] && command -v go >/dev/null; then return 1; fi
  # One that was installed by its version serves as well.
  if [ "$1" = postgresql ] && dpkg-query -W -f '${db:Status-Abbrev}\n' 'postgresql-[0-9]*' 2>/dev/null \
    | grep -q '^ii'; then return 1; fi
  state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null || true)
  [[ $state != ii* ]]
}

# Of a group, in one line.
missing_of() {
  local package found=() all
  all=$(needed "$1")
  for package in $all; do
    if is_missing "$package"; then found+=("$package"); fi
  done
  echo "${found[*]}"
}

name_them() {
  printf 'missing on this machine: %s\n' "$2"
  printf '  to install them, starting none of their services: sudo %q %s\n' "$0" "$1"
}

install_them() {
  echo "installing: $*"
  export DEBIAN_FRONTEND=noninteractive
  # Another clone may install as well. The name is known to all of them.
  exec 9>/run/lock/celadon-install
  flock -n 9 || { echo "another installation goes on: waiting for it"; flock 9; }
  # The tests start clusters of their own; the packages' services stay down. One of ours
  # that is there is of an installation that was killed.
  local policy=/usr/sbin/policy-rc.d ours='# while celadon installs packages'
  if [ ! -e "$policy" ] || grep -qx "$ours" "$policy"; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\n%s\nexit 101\n' "$ours" > "$policy"
    chmod +x "$policy"
  fi
  local apt=(apt-get -qq -o DPkg::Lock::Timeout=600)
  "${apt[@]}" update
  "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null 9>&-
}

for group in "$@"; do needed "$group" >/dev/null; done
command -v dpkg-query >/dev/null || exit 0

missing=() groups=()
for group in "$@"; do
  found=$(missing_of "$group")
  [ -n "$found" ] || continue
  groups+=("$group")
  # shellcheck disable=SC2206 # one word each
  missing+=($found)
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ]; then
  install_them "${missing[@]}"
  exit 0
fi
name_them "${groups[*]}" "${missing[*]}"
# Nothing can be built without the first group; what needs the others is left out by name.
[[ " ${groups[*]} " != *" build "* ]]
