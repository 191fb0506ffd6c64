#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over every source of a build made with clang:  clang-tidy.sh SOURCE_DIR BUILD_DIR
set -eu
command -v clang-tidy >/dev/null 2>&1 || {
    echo "SKIP: clang-tidy is not installed"
    exit 77
}
cd "$1"

# Checks; left out, because they are wrong about this code as a whole:
checks='-*,bugprone-*,clang-analyzer-*,performance-*'
#   parameters of one type beside each other, conversions (gcc's -Wconversion decides)
checks=$checks,-bugprone-easily-swappable-parameters,-bugprone-narrowing-conversions
checks=$checks,-bugprone-implicit-widening-of-multiplication-result
#   _GNU_SOURCE is what feature-test macros are called
checks=$checks,-bugprone-reserved-identifier
#   sizeof(T *) is the size of an element of an array of pointers
checks=$checks,-bugprone-sizeof-expression
#   const is cast away through uintptr_t where a C interface has one pointer for both
checks=$checks,-performance-no-int-to-ptr
#   list macros take names
checks=$checks,-bugprone-macro-parentheses
#   divisors are sizes that were validated in another file; i8 is a number and no character
checks=$checks,-clang-analyzer-core.DivideZero,-bugprone-signed-char-misuse
#   tables are written in the order in which they are read
checks=$checks,-clang-analyzer-optin.performance.Padding
#   memcpy and the like have no checked forms in the C library; va_start is not understood (14)
checks=$checks,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling
checks=$checks,-clang-analyzer-valist.Uninitialized
find runtime models backends tools -name '*.c' -print0 |
    xargs -0 -n 8 -P "$(nproc 2>/dev/null || echo 2)" clang-tidy --quiet -p "$2" \
        --warnings-as-errors='*' \
        --checks="$checks"
