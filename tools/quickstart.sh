#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a bare Debian to a translation:  sh tools/quickstart.sh "A man is riding a bike."
#
# Installs the packages that are missing (as root or by sudo; says which), builds into build/ or
# $HEED_BUILD_DIR, and runs `heed translate` with the arguments given.
set -u

tools=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 1
root=$(dirname -- "$tools")
. "$tools/packages.sh"

build_dir=${HEED_BUILD_DIR:-$root/build}

writable_folder "$build_dir" || exit 1
need_build_packages
install_missing_packages || exit 1

started=$(date +%s)
build_dir=$(CDPATH='' cd -- "$build_dir" && pwd -P) || exit 1
[ -x "$build_dir/bin/heed" ] || say "Building Heed in $build_dir"
configure "$root" "$build_dir" -DCMAKE_BUILD_TYPE=Release || exit 1
build "$build_dir" || exit 1
seconds=$(($(date +%s) - started))
[ "$seconds" -lt 5 ] || say "Built in $seconds s: $build_dir/bin/heed"

if [ $# -eq 0 ]; then
    set -- "A man is riding a bike."
    say "$1"
fi
exec "$build_dir/bin/heed" translate "$@"
