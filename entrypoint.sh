#!/bin/sh
# The container's start. `serve` (the default): the user, the data folder, the database, then supervisord. Anything else is a command of
# autodubber's, or a program. Runs as any user; started as root, it becomes PUID:PGID (1000:1000). Writes nothing but the data folder and /tmp.
set -eu
here=$(dirname "$0")
image=ghcr.io/autodubber/autodubber

fail() { # fail STATUS LINE...
  status=$1
  shift
  printf 'autodubber: %s\n' "$@" >&2
  exit "$status"
}

# What the host calls the folder that is mounted at $1, as far as it can be seen from here: field 4 of mountinfo is the path in its file system.
mounted_from() { awk -v at="$1" '$5 == at { found = $4 } END { gsub(/\\040/, " ", found); print found }' /proc/self/mountinfo 2>/dev/null || true; }

not_writable() { # not_writable FOLDER UID GID
  if awk -v at="$1" '$5 == at { options = $6 } END { exit options !~ /(^|,)ro(,|$)/ }' /proc/self/mountinfo 2>/dev/null; then
    fail 5 "$1 is mounted read-only; AutoDubber keeps everything there. Mount it writable."
  fi
  source=$(mounted_from "$1")
  case $source in
    */volumes/*/_data)
      volume=${source%/_data}
      fail 5 "$1 is not writable by user $2, group $3. Give the volume to that user, on the host:" \
        "  docker run --rm --user 0 --entrypoint chown -v ${volume##*/}:/data $image -R $2:$3 /data"
      ;;
    '' | /)
      fail 5 "$1 is not writable by user $2, group $3. Give it to that user, on the host:" \
        "  sudo chown -R $2:$3 FOLDER-MOUNTED-AT-$1" \
        "  docker run --rm --user 0 --entrypoint chown -v VOLUME:/data $image -R $2:$3 /data    (a named volume)"
      ;;
  esac
  fail 5 "$1 is not writable by user $2, group $3. Give it to that user, on the host:" "  sudo chown -R $2:$3 '$source'"
}

number() { # number NAME VALUE: a user or group that is not root's
  case $2 in
    '' | *[!0-9]* | 0*) fail 2 "$1 must be the number of a user or group other than root's (it is '$2')" ;;
  esac
}

# The folder, by writing, and what AutoDubber keeps at its top: modes alone say nothing about read-only mounts, network file systems and user namespaces.
can_write() { # can_write FOLDER
  mkdir -p "$1" 2>/dev/null || return 1
  (: >"$1/.probe-$$") 2>/dev/null || return 1
  rm -f "$1/.probe-$$"
  for entry in app.sqlite3 app.sqlite3-wal engine.sqlite3 engine.sqlite3-wal secret.key .lock blobs uploads scratch cache models backups; do
    if [ -e "$1/$entry" ] && ! [ -w "$1/$entry" ]; then return 1; fi
  done
}

# ---------------------------------------------------------------- what shall run
case ${1-serve} in
  serve)
    if [ $# -gt 0 ]; then shift; fi
    while [ $# -gt 0 ]; do # serve's options become settings, which the migration and supervisord's program read too
      case $1 in
        --host=* | --port=* | --data=*) option=${1%%=*} value=${1#*=} ;;
        --host | --port | --data)
          if [ $# -lt 2 ]; then exec autodubber serve "$1"; fi
          option=$1 value=$2
          shift
          ;;
        *) exec autodubber serve "$@" ;; # --help, or it says what is wrong
      esac
      shift
      case $option in
        --host) export AUTODUBBER_HOST="$value" ;;
        --port) export AUTODUBBER_PORT="$value" ;;
        --data) export AUTODUBBER_DATA="$value" ;;
      esac
    done
    set -- serve
    ;;
  backup | backups | clean | doctor | dub | export | health | import | links | migrate | mux | openapi | restore | verify | version | -*) set -- autodubber "$@" ;;
esac
data=${AUTODUBBER_DATA:-/data}
data=${data%/}

# ---------------------------------------------------------------- as whom
if [ "$(id -u)" = 0 ]; then
  uid=${PUID:-1000} gid=${PGID:-1000}
  number PUID "$uid"
  number PGID "$gid"
  # docker has made the pipes behind these for root; supervisord opens them by name
  for stream in /dev/stdout /dev/stderr; do
    if [ -p "$stream" ] || [ -c "$stream" ]; then chown "$uid:$gid" "$stream" 2>/dev/null || true; fi
  done
  # A folder that is empty is given to the user. One that is used never is: that could take hours, and hide a mistake.
  if [ -d "$data" ] && [ -z "$(ls -A "$data" 2>/dev/null)" ]; then chown "$uid:$gid" "$data" 2>/dev/null || true; fi
  setpriv --reuid "$uid" --regid "$gid" --clear-groups true 2>/dev/null ||
    fail 5 "cannot become user $uid: root may not, in this container. Allow it (--cap-add SETUID --cap-add SETGID), or start as that user: --user $uid:$gid"
  exec setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs "$0" "$@"
fi
if [ "$1" != serve ]; then exec "$@"; fi

# ---------------------------------------------------------------- the server
can_write "$data" || not_writable "$data" "$(id -u)" "$(id -g)"
autodubber migrate >/dev/null
exec python -m app.server.supervisor --nodaemon --configuration "$here/supervisord.conf"
