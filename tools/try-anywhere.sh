#!/usr/bin/env bash
# Tries the two commands of the README wherever people have their checkouts: clones this
# one into each place, builds it there and runs tests.
#
#   tools/try-anywhere.sh [PLACE ...]     all places, if none is named
#
# FULL=1        `make test` in each place; else the tests in $TESTS (default: below)
# TESTS="..."   arguments for pytest
# KEEP=1        leaves the folders where they are
set -euo pipefail
cd "$(dirname "$0")/.."
HERE=$PWD

declare -A TITLES=(
  [named]="a folder named celadon, in a path with spaces and other letters"
  [busy]="beside two programs per core that compute"
  [odd]="HOME, TMPDIR, locale, umask and standard input as they may be"
  [twice]="two clones at once, and two builds of one"
  [archive]="an archive without git, in a long path, with a long TMPDIR"
  [readonly]="sources that cannot be written to, BUILD elsewhere"
  [user]="an ordinary user, without sudo"
  [bare]="an ordinary user on a machine without the services"
)
ORDER=(named busy odd twice archive readonly user bare)
[ $# -gt 0 ] || set -- "${ORDER[@]}"
for place in "$@"; do
  [ -n "${TITLES[$place]:-}" ] || { echo "no place $place; one of ${ORDER[*]}" >&2; exit 2; }
done
: "${TESTS:=tests/house tests/protocol tests/py tests/green/test_sockets.py
  tests/green/test_children.py tests/e2e/test_command.py tests/e2e/test_admin.py
  tests/e2e/test_hints.py tests/e2e/test_logs.py tests/e2e/test_proxies.py
  tests/e2e/test_check.py tests/e2e/test_container.py tests/drivers/test_drivers.py}"
SERVICES="postgresql mariadb-server redis-server haproxy nginx-light prometheus
  chromium libmariadb-dev golang-go"
# Only whether it works is asked here, not how fast it is.
[ -n "${FULL:-}" ] || export SKBUILD_CMAKE_BUILD_TYPE=${SKBUILD_CMAKE_BUILD_TYPE:-RelWithDebInfo}

# One place is a process of its own, which its first failure ends.
if [ -n "${TRY_ROOM:-}" ]; then ROOM=$TRY_ROOM; else ROOM=$(mktemp -d /tmp/celadon-anywhere-XXXXXX); fi
LOGS=$ROOM/logs
USER_NAME=try-$(basename "$ROOM" | cksum | cut -d' ' -f1)

clone() {  # FOLDER
  mkdir -p "$(dirname "$1")"
  git clone -q --no-hardlinks "$HERE" "$1"
}

# The home of several places: built once.
home() {
  local folder="$ROOM/Grüße aus Köln/celadon"
  [ -d "$folder" ] || clone "$folder"
  cd "$folder"
}

# In the current folder: builds, and runs the tests there. Arguments go to make.
try() {
  # One cache of compiled files for all places, where there is one.
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  if [ -n "${FULL:-}" ]; then
    make test "$@"
  else
    local venv=.venv folder=.
    for word in "$@"; do
      case $word in
        BUILD=*) folder=${word#BUILD=} ;;
      esac
    done
    make test-tools "$@"
    # shellcheck disable=SC2086 # words
    (cd "$folder" && "$venv/bin/python" -m pytest -q -p no:cacheprovider $TESTS)
  fi
}
# As a newcomer does first: the example answers, its dashboard too, and it ends when told to.
# Arguments go to make.
serves() {
  local log server address
  log=$(mktemp)
  make serve PORT=0 ADMIN_PORT=0 "$@" > "$log" 2>&1 & server=$!
  address_of() { sed -n "s|.*$1 at \(http://[^ ]*\).*|\1|p" "$log"; }
  while [ -z "$(address_of listening)" ] || [ -z "$(address_of "admin pages")" ]; do
    kill -0 $server 2>/dev/null || { cat "$log"; return 1; }
    read -rt 0.2 <> <(:) || true
  done
  for address in "$(address_of listening)" "$(address_of "admin pages")"; do
    curl -fsSL -o /dev/null "$address" || { cat "$log"; return 1; }
    echo "make serve: $address answers"
  done
  kill $server
  ! wait $server || { echo "make serve: it did not end by SIGTERM"; return 1; }
}
export -f try serves
export TESTS FULL

place_named() {
  home
  try
  serves
}

place_busy() {
  home
  local burners=() core
  for core in $(seq $((2 * $(nproc)))); do
    python3 -c 'while 1: pass' &
    burners+=($!)
  done
  # shellcheck disable=SC2064 # those of now
  trap "kill ${burners[*]}" EXIT
  try
}

place_odd() {
  home
  local temporary="$ROOM/ein Ort"
  mkdir -p "$temporary"
  (
    unset HOME LANG
    export LC_ALL=C TMPDIR=$temporary
    umask 077
    try </dev/null
  )
  (
    export HOME=/proc LC_ALL=de_DE.UTF-8 TMPDIR=$temporary
    try -j2 <&- | cat
  )
}

place_twice() {
  home
  [ -d "$ROOM/twin" ] || clone "$ROOM/twin"
  (cd "$ROOM/twin" && make test-tools)
  touch src/base/error.cc
  make build > "$LOGS/one" 2>&1 & local one=$!
  make build > "$LOGS/two" 2>&1 & local two=$!
  wait $one
  wait $two
  cat "$LOGS/one" "$LOGS/two"
  grep -q "waiting for it" "$LOGS/one" "$LOGS/two"
  (cd "$ROOM/twin" && try) & local other=$!
  local status=0
  try || status=$?
  wait $other || status=$?
  return $status
}

place_archive() {
  local deep
  deep=$ROOM/$(printf 'folder-%02d/' $(seq 18))celadon
  mkdir -p "$deep" "$deep-temporary"
  git archive HEAD | tar -x -C "$deep"
  cd "$deep"
  TMPDIR=$deep-temporary try
}

place_readonly() {
  clone "$ROOM/readonly/celadon"
  mkdir "$ROOM/build"
  unshare --mount bash -euo pipefail -c '
    mount --bind "$1" "$1"
    mount -o remount,bind,ro "$1"
    cd "$1"
    ! make build 2> "$3"
    grep "BUILD=" "$3"
    try BUILD="$2"
    serves BUILD="$2"
    [ -z "$(git status --porcelain --ignored)" ]
  ' - "$ROOM/readonly/celadon" "$ROOM/build" "$LOGS/refused"
}

# Runs a command in a clone of the user's own.
as_user() {
  id "$USER_NAME" >/dev/null 2>&1 || useradd -m -s /bin/bash "$USER_NAME"
  local home
  home=$(getent passwd "$USER_NAME" | cut -d: -f6)
  if [ ! -d "$home/celadon" ]; then
    clone "$home/celadon"
    chown -R "$USER_NAME:" "$home/celadon"
  fi
  mkdir -p "$ROOM/bin"
  printf '#!/bin/sh\necho "$*" >> %q\nexit 1\n' "$LOGS/asked-for-more" > "$ROOM/bin/sudo"
  chmod 755 "$ROOM/bin/sudo"
  touch "$LOGS/asked-for-more"
  chmod 666 "$LOGS/asked-for-more"
  local status=0
  env -u XDG_RUNTIME_DIR -u CCACHE_DIR HOME="$home" USER="$USER_NAME" LOGNAME="$USER_NAME" \
    PATH="$ROOM/bin:/usr/local/bin:/usr/bin:/bin" \
    "$(PATH=/usr/sbin:/sbin:$PATH command -v runuser)" -u "$USER_NAME" -- bash -euo pipefail -c "cd ~/celadon && $1" || status=$?
  [ ! -s "$LOGS/asked-for-more" ] || { echo "it called sudo:"; cat "$LOGS/asked-for-more"; return 1; }
  return $status
}

place_user() {
  as_user "try && serves"
}

# As that user, in a namespace where the services are not installed.
place_bare() {
  local known=$ROOM/dpkg-status package pattern
  pattern=$(printf '%s\n' $SERVICES 'postgresql-[0-9]+' | paste -sd'|')
  awk -v RS= -v ORS='\n\n' -v pattern="^Package: ($pattern)(\n|$)" '$0 !~ pattern' \
    /var/lib/dpkg/status > "$known"
  export ROOM LOGS USER_NAME HERE SERVICES
  export -f as_user clone
  unshare --mount bash -euo pipefail -c '
    mount --bind "$1" /var/lib/dpkg/status
    mkdir -p "$ROOM/empty"
    mount --bind "$ROOM/empty" /usr/lib/postgresql
    for program in mariadbd redis-server haproxy nginx prometheus chromium go; do
      for file in /usr/bin/$program /usr/sbin/$program; do
        [ ! -e $file ] || mount --bind /dev/null "$(readlink -f $file)"
      done
    done
    as_user try
  ' - "$known" | tee "$LOGS/bare"
  for package in $SERVICES; do
    grep -q "missing on this machine: .*$package" "$LOGS/bare" || { echo "$package is not named"; return 1; }
  done
  grep -q "lacks the package redis-server" "$LOGS/bare"
  [ "$(grep -c '^missing on this machine' "$LOGS/bare")" -eq 1 ]
}

cleanup() {
  if id "$USER_NAME" >/dev/null 2>&1; then
    pkill -KILL -u "$USER_NAME" || true
    userdel -r "$USER_NAME" 2>/dev/null || true
  fi
  if [ -n "${KEEP:-}" ]; then echo "kept: $ROOM"; else rm -rf "$ROOM"; fi
}

# Prints one line.
verdict_of() {
  if [ "$(id -u)" -ne 0 ] && [[ $1 =~ ^(readonly|user|bare)$ ]]; then
    printf '%-9s not tried: needs root\n' "$1"
    return
  fi
  local began=$SECONDS status=0
  echo "== $1: ${TITLES[$1]}" >&2
  TRY_ROOM=$ROOM "$HERE/tools/try-anywhere.sh" "$1" 2>&1 | tee "$LOGS/$1.log" >&2 || status=1
  local verdict=passed
  [ $status -eq 0 ] || verdict=FAILED
  printf '%-9s %s in %d s\n' "$1" "$verdict" $((SECONDS - began))
  return $status
}

if [ -n "${TRY_ROOM:-}" ]; then
  "place_$1"
  exit
fi
trap cleanup EXIT
trap 'exit 130' INT TERM
chmod 755 "$ROOM"
mkdir "$LOGS"
status=0
results=()
for place in "$@"; do
  results+=("$(verdict_of "$place")") || status=1
done
printf '\n%s' "${results[@]}"
echo
exit $status
