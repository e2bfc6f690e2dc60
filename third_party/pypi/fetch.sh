#!/bin/bash
# fetch.sh REQUIREMENTS KIND: downloads the files pinned in REQUIREMENTS from the configured package index (pip's own settings
# say which) into the current folder and unpacks them there. KIND is wheel or sdist.
set -u
requirements=$1 kind=$2
case $kind in
  wheel) options=(--only-binary :all: --python-version 3.11 --implementation cp
      --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64
      --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64) ;;
  sdist) options=(--no-binary :all:) ;;
esac
mkdir -p download
if ! log=$(python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    "${options[@]}" --dest download --requirement "$requirements" 2>&1); then
  case $log in
    *'DO NOT MATCH'* | *'do not match'*)
      echo "plumb: a file of $requirements is not the pinned one (SHA-256 differs): ${log##*$'\n'}" >&2 ;;
    *) echo "plumb: cannot fetch the packages in $requirements: is there a network, and does pip reach its index?" \
        "pip says: $(grep -i -m1 error <<<"$log" || tail -n1 <<<"$log")" >&2 ;;
  esac
  exit 1
fi
for file in download/*; do
  case $file in
    *.whl) unzip -q -o "$file" -d . ;;
    *.tar.gz) tar -xzf "$file" --strip-components=1 ;;
  esac || { echo "plumb: cannot unpack $file: is the disk full?" >&2; exit 1; }
done
rm -rf download
