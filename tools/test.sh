#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds Heed with its tests and runs all of them:  sh tools/test.sh [--long] [--seconds N]
#
# Without options: a Release build and one with AddressSanitizer and UndefinedBehaviorSanitizer,
# with every test in both (unit, agreement, golden, program), and in the first what looks at headers,
# structure and the installation.
# --long adds what takes longer or needs more packages: ThreadSanitizer, clang, clang-tidy, cppcheck,
# valgrind, emulated processors, the long golden tests, and fuzzing (--seconds N for each target).
#
# The last line is "N passed, N failed, N skipped"; every skip has its reason above it. The exit
# status is 0 only where nothing failed. Build folders: $HEED_BUILD_DIR-test-* (default build-test-*).
set -u

long=no
fuzz_seconds=60
while [ $# -gt 0 ]; do
    case $1 in
    --long) long=yes ;;
    --seconds)
        fuzz_seconds=${2:-}
        shift
        ;;
    --help | -h)
        sed -n '3,/^set -u/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        echo "test.sh: unknown option '$1'; there are --long and --seconds N" >&2
        exit 2
        ;;
    esac
    [ $# -eq 0 ] || shift
done
case $fuzz_seconds in
'' | *[!0-9]*)
    echo "test.sh: --seconds needs a whole number" >&2
    exit 2
    ;;
esac

tools=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 1
root=$(dirname -- "$tools")
. "$tools/packages.sh"

# The compiler of shaders has a new name since glslang 12.
has_glslang() {
    command -v glslangValidator || command -v glslang
}

# The driver for Vulkan that needs no graphics processor, and the layer that checks how Vulkan is used.
has_vulkan_driver() {
    ls /usr/share/vulkan/icd.d/lvp_icd*.json || ls /etc/vulkan/icd.d/lvp_icd*.json
}

has_validation_layer() {
    ls /usr/share/vulkan/explicit_layer.d/*validation*.json ||
        ls /etc/vulkan/explicit_layer.d/*validation*.json
}

# Sanitizer runtimes are packages of their own for clang only.
has_clang_runtime() {
    [ -n "$(find /usr/lib -name 'libclang_rt.fuzzer-*' 2>/dev/null | head -n 1)" ]
}

builds=${HEED_BUILD_DIR:-$root/build}
case $builds in
/*) ;;
*) builds=$PWD/$builds ;;
esac
builds=$builds-test

need_build_packages
need libcmocka-dev has_library cmocka libcmocka-dev
need libopenblas-dev has_library openblas libopenblas-dev # this and the rest: optional for a build
need libvulkan-volk-dev test -e /usr/include/volk.h
need libvulkan-dev test -e /usr/include/vulkan/vulkan.h
need glslang-tools has_glslang
need spirv-tools command -v spirv-val
need mesa-vulkan-drivers has_vulkan_driver
need vulkan-validationlayers has_validation_layer
if [ "$long" = yes ]; then
    need clang command -v clang
    need libclang-rt-dev has_clang_runtime
    need clang-tidy command -v clang-tidy
    need cppcheck command -v cppcheck
    need valgrind command -v valgrind
    need qemu-user command -v qemu-x86_64
fi
if ! writable_folder "$builds-release" || ! install_missing_packages; then
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi

jobs=$(processors)
passed=0
failed=0
skipped=0

pass() {
    passed=$((passed + 1))
    echo "passed: $*"
}

fail() {
    failed=$((failed + 1))
    echo "FAILED: $*"
}

skip() {
    skipped=$((skipped + 1))
    echo "skipped: $*"
}

# check NAME COMMAND...: one more result, from the exit status of a command (77: skipped).
check() {
    check_name=$1
    shift
    check_log=$builds-check.log
    "$@" >"$check_log" 2>&1
    case $? in
    0) pass "$check_name" ;;
    77) skip "$check_name: $(sed -n 's/^SKIP: //p' "$check_log" | head -n 1)" ;;
    *)
        tail -n 60 "$check_log"
        fail "$check_name"
        ;;
    esac
}

# tree NAME OPTION...: configures and builds $builds-NAME with the tests.
tree() {
    tree_name=$1
    shift
    echo "== $tree_name: building"
    if configure "$root" "$builds-$tree_name" -DHEED_TESTS=ON "$@" &&
        build "$builds-$tree_name"; then
        return 0
    fi
    fail "$tree_name: the build"
    return 1
}

# attribute NAME: the number in an attribute of the first test suite of a JUnit file on stdin.
attribute() {
    sed -n "s/.*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p" | head -n 1
}

# run_tests NAME CTEST_OPTION...: runs ctest in $builds-NAME and adds up what it says.
run_tests() {
    run_name=$1
    run_build=$builds-$1
    run_log=$run_build/ctest.log
    run_junit=$run_build/ctest.xml
    shift
    rm -f "$run_junit"
    echo "== $run_name: testing"
    ctest --test-dir "$run_build" -j "$jobs" --timeout 600 --output-on-failure \
        --output-junit "$run_junit" "$@" >"$run_log" 2>&1
    run_status=$?
    run_total=$(attribute tests <"$run_junit" 2>/dev/null)
    if [ -z "$run_total" ]; then
        tail -n 40 "$run_log"
        fail "$run_name: ctest gave no result"
        return
    fi
    run_failed=$(attribute failures <"$run_junit")
    run_skipped=$(($(attribute skipped <"$run_junit") + $(attribute disabled <"$run_junit")))
    if [ "$run_failed" -gt 0 ] || [ "$run_status" -ne 0 ]; then
        grep -vE '^ *(Start +[0-9]+|[0-9]+/[0-9]+ Test .* (Passed|\*\*\*Skipped))' "$run_log"
    fi
    if [ "$run_status" -ne 0 ] && [ "$run_failed" -eq 0 ]; then
        run_failed=1 # ctest itself
    fi
    skip_reasons "$run_build" "$run_name" | tee "$run_build/skipped.log"
    run_reasons=$(wc -l <"$run_build/skipped.log")
    if [ "$run_reasons" -lt "$run_skipped" ]; then
        fail "$run_name: a test was skipped and gave no reason"
    fi
    passed=$((passed + run_total - run_failed - run_skipped))
    failed=$((failed + run_failed))
    skipped=$((skipped + run_reasons))
    echo "$run_name: $((run_total - run_failed - run_skipped)) of $run_total passed"
}

# Each skipped test printed a line "SKIP: reason"; so do tests that skip a part of what they do, and
# then count as passed for the rest of it. The number of skips is the number of these lines.
skip_reasons() {
    awk -v tree="$2" '
        /^[0-9]+\/[0-9]+ Testing: / { name = $3 }
        /^SKIP: / { sub(/^SKIP: /, ""); print "skipped: " tree ": " name ": " $0 }
    ' "$1/Testing/Temporary/LastTest.log" 2>/dev/null
}

translates() {
    translates_out=$("$@" translate --threads 1 "Two dogs are running in the snow.") || return 1
    echo "$translates_out"
    [ "$translates_out" = "$expected" ]
}

started=$(date +%s)

# Warnings are errors where they are meant: a sanitizer's instrumentation leads gcc to false ones.
if tree release -DCMAKE_BUILD_TYPE=Release -DHEED_WERROR=ON; then
    run_tests release -LE long
fi
if tree sanitize -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O1 -DCMAKE_CXX_FLAGS_DEBUG=-O1 \
    -DHEED_SANITIZE=address,undefined; then
    run_tests sanitize -LE long
fi

if [ "$long" = yes ]; then
    heed=$builds-release/bin/heed
    run_tests release -L long
    if tree thread -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O1 \
        -DCMAKE_CXX_FLAGS_DEBUG=-O1 -DHEED_SANITIZE=thread; then
        run_tests thread -LE long
    fi
    if tree clang -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DHEED_WERROR=ON \
        -DCMAKE_EXPORT_COMPILE_COMMANDS=ON; then
        run_tests clang -LE long
    fi

    expected=$("$heed" translate "Two dogs are running in the snow." 2>/dev/null)
    for cpu in qemu64 Haswell; do
        case $(uname -m) in
        x86_64) check "emulated processor $cpu" translates qemu-x86_64 -cpu "$cpu" "$heed" ;;
        *) skip "emulated processor $cpu: this machine is not an x86-64" ;;
        esac
    done
    check "valgrind" translates valgrind -q --error-exitcode=9 --leak-check=full \
        --errors-for-leak-kinds=definite "$heed"
    check "clang-tidy" sh "$root/tests/structure/clang-tidy.sh" "$root" "$builds-clang"
    check "cppcheck" sh "$root/tests/structure/cppcheck.sh" "$root" "$builds-clang"

    if tree fuzz -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
        -DCMAKE_C_FLAGS_DEBUG=-O1 -DHEED_FUZZ=ON; then
        for target in "$builds-fuzz"/tests/fuzz_*; do
            [ -x "$target" ] || continue
            name=$(basename "$target")
            found=$builds-fuzz/found/$name
            mkdir -p "$found"
            check "$name for $fuzz_seconds s" "$target" -max_total_time="$fuzz_seconds" \
                -artifact_prefix="$found/crash-" "$found" "$root/tests/fuzz/corpus/${name#fuzz_}"
        done
    fi
fi

echo "in $(($(date +%s) - started)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
