#!/bin/sh
# `serve` (the default) runs under supervisord, which starts it again when it dies; anything else is a command of autodubber's, or a program.
set -eu
if [ "${1:-serve}" = serve ] && [ $# -le 1 ]; then
  exec supervisord --nodaemon --configuration /opt/autodubber/supervisord.conf
fi
case $1 in
  serve | dub | doctor | openapi | health | version | -*) exec autodubber "$@" ;;
  *) exec "$@" ;;
esac
