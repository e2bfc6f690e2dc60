#!/bin/bash
# Fails with the names of the C++ files that clang-format would change. The runfile WORKSPACE is a link into the checkout.
set -eu
cd "$(dirname "$(readlink -f WORKSPACE)")"
mapfile -t files < <(find . -name '.?*' -prune -o -path './bazel-*' -prune -o \( -name '*.h' -o -name '*.cc' \) -print)
[ ${#files[@]} -gt 0 ] || { echo "no sources found in $PWD"; exit 1; }
if ! printf '%s\n' "${files[@]}" | xargs clang-format --dry-run --Werror >/dev/null 2>&1; then
  for file in "${files[@]}"; do
    clang-format --dry-run --Werror "$file" >/dev/null 2>&1 || wrong+=("$file")
  done
  echo "not formatted; type: clang-format -i ${wrong[*]}"
  exit 1
fi
echo "${#files[@]} files are formatted"
