#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles every header alone, as C11 and as C++17, under the project's warnings, twice included to
# prove its guard:  check.sh SOURCE_DIR CC CXX
set -u
cd "${1:?usage: check.sh SOURCE_DIR CC CXX}" || exit 2
cc=${2:?}
cxx=${3:?}
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wvla -Werror'
list=$(mktemp) || exit 2
trap 'rm -f "$list"' EXIT
status=0
count=0

# compile COMPILER LANGUAGE STANDARD HEADER PROGRAM [WARNING]
compile() {
    # shellcheck disable=SC2086 # the warnings are several words
    printf '%s\n' "$5" | "$1" -x "$2" -std="$3" $warnings $target ${6:-} -D_POSIX_C_SOURCE=200809L -I. \
        -Iruntime/include -Imodels/include -fsyntax-only - || {
        echo "$4 does not compile alone as $3"
        status=1
    }
}

find runtime models backends tools -name '*.h' | sort >"$list"
while IFS= read -r header; do
    # what the intrinsics of a plugin's kernels need, where the compiler is for such a processor
    target=
    case $header in
    backends/avx2/*)
        target='-mavx2 -mfma -mf16c'
        # shellcheck disable=SC2086 # several options
        echo | "$cc" $target -x c -fsyntax-only - 2>/dev/null || continue
        ;;
    backends/vulkan/*) # the plugin is left out where Vulkan's headers are missing
        echo '#include <volk.h>' | "$cc" -x c -fsyntax-only - 2>/dev/null || continue
        ;;
    esac
    case $header in
    */include/heed/*) name=heed/${header##*/} ;;
    *) name=$header ;;
    esac
    program="#include \"$name\"
#include \"$name\"
extern int heedi_header_is_complete;"
    # (-Wshadow is for C alone: to C++ a function that shares a struct's name hides a constructor)
    compile "$cc" c c11 "$header" "$program" -Wshadow
    compile "$cxx" c++ c++17 "$header" "$program"
    count=$((count + 1))
done <"$list"
[ "$count" -gt 0 ] || {
    echo "no header was found"
    exit 1
}
exit "$status"
