#!/bin/bash
# What each measurement here runs as: bazel run //tools/bench:NAME -- --help
#
# Makes the virtual environment of the peers once, in the folder that --venv names, and hands over to NAME.py.
set -euo pipefail
here="$0.runfiles/plumb/tools/bench"
venv="${HOME}/.cache/plumb/bench_venv"
for argument in "$@"; do
  case "$argument" in --venv=*) venv="${argument#--venv=}" ;; esac
done
if [[ ! -x "$venv/bin/python" ]] || ! "$venv/bin/python" -c 'import botorch, castle, ipyopt, jaxopt, opacus, trl' 2>/dev/null; then
  echo "installing the peers into $venv" >&2
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r "$here/requirements.txt"
fi
exec "$venv/bin/python" -B "$here/$(basename "$0").py" "$@"
