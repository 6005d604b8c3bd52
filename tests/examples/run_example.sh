#!/bin/sh
# Runs an example with a fresh directory as its space, and removes it. Every file here is named in CMakeLists.txt.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
"$1" "$directory"
