#!/bin/bash
# What a measurement of this project alone runs as: bazel run //tools/bench:NAME -- --help
exec python3 -B "$0.runfiles/plumb/tools/bench/$(basename "$0").py" "$@"
