#!/usr/bin/env bash
# Bare Debian systems to try things in, as folders below build/roots: made once by debootstrap,
# minbase with certificates and sudo; one that was broken off is made anew from what was fetched.
#
#   tools/roots.sh SUITE [OPTION ...] [-- COMMAND ...]     SUITE: bookworm, trixie, forky
#
# Without a command the root is made, and no more. Else the command runs inside, with processes
# and mounts of its own: what it started ends with it, and nothing stays mounted.
#
#   --copy NAME      in build/roots/NAME, which is a copy of the bare one at first
#   --user NAME      as an ordinary user, made where there is none, who may use sudo
#   --bind FROM:TO   a folder of this machine, seen inside at TO; several times
#   --offline        with a loopback interface of its own, and no other
#   --env NAME=WORD  in the command's environment, which has nothing of this one; several times
#
# MIRROR=URL names another mirror of Debian than this machine's.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
ROOTS=$PWD/build/roots

usage() { sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//p}' "$0" >&2; exit 2; }

# --- inside: the process that unshare has started, by this script's own call ---

# Devices that do no harm to this machine, whatever is done to them.
mount_devices() {
  local root=$1 name
  mount -t tmpfs -o mode=755 devices "$root/dev"
  for name in null zero full random urandom tty; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
  done
  mkdir "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 terminals "$root/dev/pts"
  mount -t tmpfs -o mode=1777 memory "$root/dev/shm"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s fd/0 "$root/dev/stdin"
  ln -s fd/1 "$root/dev/stdout"
  ln -s fd/2 "$root/dev/stderr"
}

enter() {  # ROOT IS_OFFLINE USER BINDS COMMAND ...
  local root=$1 offline=$2 user=$3 binds=$4 bind
  shift 4
  mount --bind "$root" "$root"
  cd "$root"
  mount -t proc processes "$root/proc"
  mount --rbind /sys "$root/sys"
  mount -o remount,bind,ro "$root/sys"
  mount_devices "$root"
  mount -t tmpfs -o mode=755 run "$root/run"
  mkdir -m 1777 "$root/run/lock"
  while IFS= read -r bind; do
    [ -n "$bind" ] || continue
    mkdir -p "$root/${bind#*:}"
    mount --bind "${bind%%:*}" "$root/${bind#*:}"
  done <<< "$binds"
  [ -z "$offline" ] || ip link set lo up
  local home=/root
  [ "$user" = root ] || home=/home/$user
  # It waits for children that nobody else waits for, as the first process of a system does.
  exec chroot "$root" setpriv --reuid "$user" --regid "$user" --init-groups \
    env HOME="$home" USER="$user" LOGNAME="$user" bash -c 'cd && "$@"; exit $?' bash "$@"
}

if [ "${1:-}" = --inside ]; then
  shift
  enter "$@"
fi

# --- outside ---

mirror() {
  if [ -n "${MIRROR:-}" ]; then echo "$MIRROR"; return; fi
  # shellcheck disable=SC2016 # apt's words
  { apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m 1 '/debian/*$'; } \
    || echo http://deb.debian.org/debian
}

# What this machine's pip was told about where packages come from, as a file of settings.
pip_settings() {
  echo '[global]'
  python3 -m pip config list 2>/dev/null | sed -nE \
    "s/^(global|:env:)\.(index-url|extra-index-url|trusted-host|cert|proxy|default-timeout)='(.*)'\$/\2 = \3/p" \
    | sed 's/^default-timeout/timeout/' | sort -u -t' ' -k1,1
}

# How this machine reaches others, which may change.
refresh() {
  local root=$1
  cat /etc/resolv.conf > "$root/etc/resolv.conf"
  cat /etc/hosts > "$root/etc/hosts"
  pip_settings > "$root/etc/pip.conf"
  apt-config dump | grep -E '^Acquire::(https?::(Proxy|Timeout)|Retries|Check-)' \
    > "$root/etc/apt/apt.conf.d/99of-the-machine" || true
}

configure() {  # what debootstrap has made
  local root=$1 certificates=/usr/local/share/ca-certificates
  printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"
  uname -n > "$root/etc/hostname"
  if [ -d $certificates ]; then
    cp -r $certificates/. "$root$certificates"
    inside_words "$root" "" root "" update-ca-certificates
    "${INSIDE[@]}" > /dev/null
  fi
  refresh "$root"
  rm -f "$root"/var/cache/apt/archives/*.deb
}

# The first line of each kind, and each fiftieth.
progress() { awk '{ if (seen[$2]++ % 50 == 0) { print; fflush() } }'; }

make_root() {
  local suite=$1 root=$ROOTS/$1 part=$ROOTS/.$1.part began=$SECONDS script=()
  mkdir -p "$ROOTS/.fetched"
  exec 8> "$ROOTS/.$suite.lock"
  flock -n 8 || { echo "another process makes $root: waiting for it"; flock 8; }
  if [ ! -d "$root" ]; then
    tools/install-system.sh roots
    echo "making $root"
    rm -rf "$part"
    # A release that is newer than debootstrap itself is made as the one before it.
    [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=(/usr/share/debootstrap/scripts/trixie)
    unshare --mount --pid --fork --kill-child debootstrap --variant=minbase --include=ca-certificates,sudo \
      --cache-dir="$ROOTS/.fetched" "$suite" "$part" "$(mirror)" "${script[@]}" 8>&- | progress
    configure "$part"
    mv "$part" "$root"
    echo "made $root in $((SECONDS - began)) s, $(du -sh "$root" | cut -f1)"
  fi
  exec 8>&-
}

copy_root() {  # FROM NAME
  local root=$ROOTS/$2
  [ ! -d "$root" ] || return 0
  rm -rf "$root.part"
  cp -a --reflink=auto "$ROOTS/$1" "$root.part"
  mv "$root.part" "$root"
}

add_user() {  # ROOT NAME
  local root=$1 name=$2
  ! grep -q "^$name:" "$root/etc/passwd" || return 0
  chroot "$root" useradd -m -s /bin/bash "$name"
  echo "$name ALL=(ALL) NOPASSWD: ALL" > "$root/etc/sudoers.d/$name"
}

# The words that run COMMAND in there: a process that takes their place can be ended as one.
inside_words() {  # ROOT OFFLINE USER BINDS COMMAND ...
  local kept=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    LANG=C.UTF-8 "TERM=${TERM:-dumb}") name
  for name in http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || kept+=("$name=${!name}")
  done
  INSIDE=(unshare --mount --pid --fork --kill-child ${2:+--net}
    env -i "${kept[@]}" "${ENVIRONMENT[@]}" "$PWD/tools/roots.sh" --inside "$@")
}

[ $# -gt 0 ] && [[ $1 != -* ]] || usage
SUITE=$1 COPY='' USER_NAME=root BINDS='' OFFLINE='' ENVIRONMENT=()
shift
while [ $# -gt 0 ]; do
  case $1 in
    --copy) COPY=$2; shift 2 ;;
    --user) USER_NAME=$2; shift 2 ;;
    --bind) BINDS+=$2$'\n'; shift 2 ;;
    --env) ENVIRONMENT+=("$2"); shift 2 ;;
    --offline) OFFLINE=1; shift ;;
    --) shift; break ;;
    *) usage ;;
  esac
done
[ "$(id -u)" -eq 0 ] || { echo "a root is made by root: sudo $0 $SUITE" >&2; exit 2; }
tools/place.sh
make_root "$SUITE"
[ -z "$COPY" ] || copy_root "$SUITE" "$COPY"
[ $# -gt 0 ] || exit 0
ROOT=$ROOTS/${COPY:-$SUITE}
refresh "$ROOT"
[ "$USER_NAME" = root ] || add_user "$ROOT" "$USER_NAME"
inside_words "$ROOT" "$OFFLINE" "$USER_NAME" "$BINDS" "$@"
exec "${INSIDE[@]}"
