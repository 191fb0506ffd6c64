#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over every source of a build made with clang:  clang-tidy.sh SOURCE_DIR BUILD_DIR
set -eu
command -v clang-tidy >/dev/null 2>&1 || {
    echo "SKIP: clang-tidy is not installed"
    exit 77
}
cd "$1"
find runtime models backends tools -name '*.c' -print0 |
    xargs -0 -n 8 -P "$(nproc 2>/dev/null || echo 2)" clang-tidy --quiet -p "$2" \
        --warnings-as-errors='*' \
        --checks='-*,bugprone-*,clang-analyzer-*,performance-*,-bugprone-easily-swappable-parameters,-bugprone-narrowing-conversions,-bugprone-implicit-widening-of-multiplication-result,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling'
