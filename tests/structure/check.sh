#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Holds a source tree to its own rules:  check.sh SOURCE_DIR
#
# Dependencies point one way (tools -> models -> runtime, backends see heed/backend.h only), the
# runtime names no backend, headers of an operating system stay in os_*.c, an operator has the same
# file name everywhere, files and functions stay short. Prints each violation; exit status 1 if any.
set -u
cd "${1:?usage: check.sh SOURCE_DIR}" || exit 2
found=$(mktemp) || exit 2
list=$(mktemp) || exit 2
trap 'rm -f "$found" "$list"' EXIT

violation() {
    printf '%s\n' "$*" >>"$found"
}

# sources FOLDER...: the C and C++ files and headers in them.
sources() {
    find "$@" -name '*.[ch]' -o -name '*.cc' 2>/dev/null
}

# includes FILE: what it includes, without the marks.
includes() {
    sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]\([^>"]*\)[>"].*/\1/p' "$1"
}

# The standard library of C11 (without threads.h, which may be missing).
standard=' assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h iso646.h limits.h locale.h math.h setjmp.h signal.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h tgmath.h time.h uchar.h wchar.h wctype.h '

is_standard() {
    case $standard in *" $1 "*) return 0 ;; esac
    case $2 in *.cc) case $1 in *[./]*) return 1 ;; *) return 0 ;; esac ;; esac
    return 1
}

public_runtime=$(cd runtime/include && find heed -name '*.h')
public_models=$(cd models/include && find heed -name '*.h')

# is_one_of WORD LIST
is_one_of() {
    printf '%s\n' "$2" | grep -qxF "$1"
}

# allowed FOLDER FILE INCLUDE: may this file include that?
allowed() {
    is_standard "$3" "$2" && return 0
    case $1 in
    runtime)
        case $3 in runtime/*) return 0 ;; esac
        is_one_of "$3" "$public_runtime" && return 0
        # cpuid.h belongs to the compiler, not to an operating system
        case $2/$3 in runtime/io/*/cjson/cJSON.h | runtime/base/cpu.c/cpuid.h) return 0 ;; esac
        ;;
    models)
        case $3 in runtime/* | models/*) return 0 ;; esac
        is_one_of "$3" "$public_runtime" || is_one_of "$3" "$public_models" && return 0
        case $2/$3 in
        models/*/cjson/cJSON.h | models/text/*.cc/sentencepiece_processor.h) return 0 ;;
        esac
        ;;
    backends)
        backend=${2#backends/}
        backend=${backend%%/*}
        case $3 in "backends/$backend/"* | shaders/params.h) return 0 ;; esac
        [ "$3" = heed/backend.h ] && return 0
        [ -e "backends/$backend/$3" ] && return 0
        ;;
    tools)
        case $3 in tools/* | cjson/cJSON.h) return 0 ;; esac
        is_one_of "$3" "$public_runtime" || is_one_of "$3" "$public_models" && return 0
        ;;
    esac
    return 1
}

check_includes() {
    for folder in runtime models backends tools; do
        sources "$folder" >"$list"
        while IFS= read -r file; do
            case $file in
            runtime/base/os_*.c | tools/os_*.c) continue ;;
            backends/*/*) ;;
            backends/*) continue ;; # templates of the build
            esac
            for include in $(includes "$file"); do
                allowed "$folder" "$file" "$include" ||
                    violation "$file: may not include $include"
            done
        done <"$list"
    done
}

# "scalar" is the documented last resort of the executor; no other name, and it nowhere else.
check_backend_names() {
    for folder in backends/*/; do
        name=$(basename "$folder")
        [ "$name" = scalar ] && continue
        grep -rnwE "\"$name\"|heed_backend_$name" runtime --include='*.c' |
            sed 's/:.*/: names the backend '"$name"'/' >>"$found"
    done
    grep -rln '"scalar"' runtime --include='*.c' | grep -v '^runtime/exec/' |
        sed 's/$/: names the backend scalar/' >>"$found"
}

# An operator's file in the runtime defines a `const struct heedi_op`; its name is found again in the
# scalar backend and among the tests.
check_operator_files() {
    for file in runtime/ops/*.c; do
        grep -q '^const struct heedi_op ' "$file" || continue
        name=$(basename "$file")
        [ "$name" = op.c ] && continue
        # what the executor does by itself (views) or by other operators has no kernel
        if ! grep -qE '\.(is_)?view *=|\.lower *=' "$file"; then
            [ -e "backends/scalar/$name" ] || violation "$file: backends/scalar/$name is missing"
        fi
        [ -e "tests/unit/runtime/ops/$name" ] ||
            violation "$file: tests/unit/runtime/ops/$name is missing"
    done
}

check_sizes() {
    sources runtime models backends tools tests >"$list"
    while IFS= read -r file; do
        case $file in *_data.[ch]) continue ;; esac
        awk -v file="$file" '
            END { if (NR > 600) print file ": " NR " lines, more than 600" }
            /^[A-Za-z_].*\(/ && !inside { start = NR; head = $0 }
            /\{$/ && !inside {
                inside = 1
                # data and type definitions may be long; a function has a parameter list
                counts = ($0 !~ /= *\{$/ && $0 !~ /^(enum|extern|union)/ && start > 0)
                if ($0 ~ /^(struct|static const struct|const struct)/ && $0 !~ /\)/) counts = 0
            }
            /^\}/ {
                if (inside && counts && NR - start + 1 > 100) {
                    sub(/\(.*/, "", head)
                    print file ":" start ": " head " has " NR - start + 1 " lines, more than 100"
                }
                inside = 0
                start = 0
            }
        ' "$file" >>"$found"
    done <"$list"
}

check_licences() {
    sources runtime models backends tools tests >"$list"
    while IFS= read -r file; do
        head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
            violation "$file: the line SPDX-License-Identifier is missing"
    done <"$list"
    grep -rnwE 'TODO|FIXME|XXX|#if 0' runtime models backends tools tests --include='*.[ch]' \
        --include='*.cc' | sed 's/$/ (left open)/' >>"$found"
}

check_format() {
    formatter=
    for candidate in clang-format-14 clang-format; do
        if "$candidate" --version 2>/dev/null | grep -q 'version 14\.'; then
            formatter=$candidate
            break
        fi
    done
    if [ -z "$formatter" ] || [ ! -e .clang-format ]; then
        echo "SKIP: clang-format 14 is not installed; the format is not checked"
        return
    fi
    sources runtime models backends tools tests >"$list"
    while IFS= read -r file; do
        "$formatter" "$file" | cmp -s - "$file" || violation "$file: is not as clang-format leaves it"
    done <"$list"
}

check_includes
check_backend_names
check_operator_files
check_sizes
check_licences
check_format
if [ -s "$found" ]; then
    sort -u "$found"
    exit 1
fi
