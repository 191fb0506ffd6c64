#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cppcheck over every source:  cppcheck.sh SOURCE_DIR BUILD_DIR
set -eu
command -v cppcheck >/dev/null 2>&1 || {
    echo "SKIP: cppcheck is not installed"
    exit 77
}
cd "$1"
find runtime models backends tools -name '*.c' >"${TMPDIR:-/tmp}/heed-cppcheck.$$"
trap 'rm -f "${TMPDIR:-/tmp}/heed-cppcheck.$$"' EXIT
cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
    --suppress=missingInclude --error-exitcode=1 -j "$(nproc 2>/dev/null || echo 2)" \
    -D_POSIX_C_SOURCE=200809L -D__GNUC__=12 -I . -I runtime/include -I models/include \
    --file-list="${TMPDIR:-/tmp}/heed-cppcheck.$$"
