#!/bin/bash
# check.sh PACKAGES.txt [--missing]: prints "name version" for each package installed. Without --missing, the first thing that
# is missing or too old ends it with one line on standard error; with --missing, the names to install are printed instead.
set -u
list=$1 mode=${2-} missing=()
while read -r name lowest _; do
  case $name in '' | '#'*) continue ;; esac
  if [ "$name" = python3-pip ] && python3 -m pip --version >/dev/null 2>&1; then continue; fi
  version=$(dpkg-query -W -f='${db:Status-Abbrev}${Version}' "$name" 2>/dev/null)
  case $version in ii*) version=${version#* } ;; *) version= ;; esac
  if [ -n "$version" ] && dpkg --compare-versions "$version" ge "$lowest"; then
    [ "$mode" = --missing ] || echo "$name $version"
    continue
  fi
  missing+=("$name")
  [ -n "$version" ] && echo "plumb: $name is at version $version; $lowest or newer is needed (Debian 12 has it)" >&2
done <"$list"
[ ${#missing[@]} = 0 ] && exit 0
if [ "$mode" = --missing ]; then echo "${missing[*]}"; exit 0; fi
echo "plumb: missing Debian packages; type: apt-get install --no-install-recommends ${missing[*]}" >&2
exit 1
