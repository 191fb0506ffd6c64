#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Holds a source tree to its own rules:  check.sh SOURCE_DIR [CHECK...]
#
# Dependencies point one way (tools -> models -> runtime, backends see heed/backend.h only), the
# runtime names no backend, headers of an operating system stay in os_*.c, an operator has the same
# file name everywhere, shaders say what they do, files and functions stay short. Prints each violation; exit status 1 if any.
set -u
cd "${1:?usage: check.sh SOURCE_DIR [CHECK...]}" || exit 2
shift
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

# names FOLDER: the headers in it as they are included, on one line
names() {
    (cd "$1" && find heed -name '*.h' | tr '\n' ' ')
}

check_includes() {
    grep -rHE '^[[:space:]]*#[[:space:]]*include' runtime models backends tools \
        --include='*.[ch]' --include='*.cc' | awk \
        -v runtime="$(names runtime/include)" -v models="$(names models/include)" '
        function list(words, set,    i, n, part) {
            n = split(words, part, " ")
            for (i = 1; i <= n; i++) set[part[i]] = 1
        }
        BEGIN {
            list(runtime, public)
            list(models, public_models)
            # the standard library of C11 (without threads.h, which may be missing)
            list("assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h iso646.h limits.h " \
                 "locale.h math.h setjmp.h signal.h stdalign.h stdarg.h stdatomic.h stdbool.h " \
                 "stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h tgmath.h time.h " \
                 "uchar.h wchar.h wctype.h", standard)
        }
        function allowed(file, name,    folder, backend) {
            if (file ~ /^(runtime\/base|tools|backends\/[^\/]*)\/os_[^\/]*\.c$/) return 1
            if (name in standard || (file ~ /\.cc$/ && name !~ /[.\/]/)) return 1
            folder = file
            sub(/\/.*/, "", folder)
            if (folder == "runtime") {
                # cpuid.h belongs to the compiler, not to an operating system
                return name ~ /^runtime\// || name in public ||
                    (file ~ /^runtime\/io\// && name == "cjson/cJSON.h") ||
                    (file == "runtime/base/cpu.c" && name == "cpuid.h")
            }
            if (folder == "models")
                return name ~ /^(runtime|models)\// || name in public || name in public_models ||
                    name == "cjson/cJSON.h" ||
                    (file ~ /^models\/text\/.*\.cc$/ && name == "sentencepiece_processor.h")
            if (folder == "tools")
                return name ~ /^tools\// || name in public || name in public_models ||
                    name == "cjson/cJSON.h"
            backend = file
            sub(/^backends\//, "", backend)
            sub(/\/.*/, "", backend)
            # backends/common and backends/cpu are no plugins: all plugins share the one, those for a
            # processor the other, and both see no more than a plugin does;
            # avx512 is made of the kernels of avx2
            if (backend == "avx512" && index(name, "backends/avx2/") == 1) return 1
            return name == "heed/backend.h" || name == "shaders/params.h" ||
                name == "backends/common/common.h" ||
                (backend !~ /^(common|vulkan)$/ && index(name, "backends/cpu/") == 1) ||
                index(name, "backends/" backend "/") == 1 || name !~ /\//
        }
        {
            file = $0
            sub(/:.*/, "", file)
            name = $0
            if (name !~ /[<"][^>"]*[>"]/) next
            sub(/^[^<"]*[<"]/, "", name)
            sub(/[>"].*/, "", name)
            if (!allowed(file, name)) print file ": may not include " name
        }' >>"$found"
}

# "scalar" is the documented last resort of the executor; no other name, and it nowhere else.
check_backend_names() {
    for folder in backends/*/; do
        name=$(basename "$folder")
        case $name in scalar | common | cpu) continue ;; esac # the last two are no plugins
        grep -rnwE "\"$name\"|heed_backend_$name" runtime --include='*.c' |
            sed 's/:.*/: names the backend '"$name"'/' >>"$found"
    done
    grep -rln '"scalar"' runtime --include='*.c' | grep -v '^runtime/exec/' |
        sed 's/$/: names the backend scalar/' >>"$found"
}

# An operator's file in the runtime defines a `const struct heedi_op`; its name is found again in the
# scalar backend, or in what it shares with others, and among the tests.
check_operator_files() {
    for file in runtime/ops/*.c; do
        grep -q '^const struct heedi_op ' "$file" || continue
        name=$(basename "$file")
        [ "$name" = op.c ] && continue
        # what the executor does by itself (views) or by other operators has no kernel
        if ! grep -qE '\.(is_)?view *=|\.lower *=' "$file"; then
            [ -e "backends/scalar/$name" ] || [ -e "backends/cpu/$name" ] ||
                violation "$file: backends/scalar/$name is missing"
        fi
        [ -e "tests/unit/runtime/ops/$name" ] ||
            violation "$file: tests/unit/runtime/ops/$name is missing"
    done
}

# The Vulkan plugin: a file that defines operators is named as in the runtime; every shader says on top
# what it does, is listed once in kernels.inc, and some operator uses it.
check_shaders() {
    for file in $(grep -lE '^const struct vk_operator heedi_vk_' backends/vulkan/*.c); do
        [ -e "runtime/ops/$(basename "$file")" ] ||
            violation "$file: runtime/ops has no file of this name"
    done
    kernels=backends/vulkan/kernels.inc
    for file in shaders/*.comp; do
        name=$(basename "$file" .comp)
        awk -v file="$file" '
            NR == 1 && $0 != "/* SPDX-License-Identifier: Apache-2.0 */" {
                print file ": the first line is not SPDX-License-Identifier"
            }
            NR == 2 && !/^\/\* / { print file ": the second line begins no comment" }
            NR > 1 && !past {
                for (i in field)
                    if (index($0, " * " field[i])) seen[i] = 1
                past = /\*\//
            }
            BEGIN { split("Bindings: Workgroup: Dispatch:", field, " ") }
            END {
                for (i in field)
                    if (!(i in seen)) print file ": the comment on top has no " field[i]
            }' "$file" >>"$found"
        id=$(sed -n "s/^SHADER(\([A-Z0-9_]*\), $name, [0-9]*)\$/\1/p" "$kernels")
        case $id in
        '') violation "$file: is not listed in $kernels" ;;
        *) grep -qw "VK_SHADER_$id" backends/vulkan/*.c || violation "$file: nothing uses it" ;;
        esac
    done
    for name in $(sed -n 's/^SHADER([A-Z0-9_]*, \([a-z0-9_]*\),.*/\1/p' "$kernels"); do
        [ -e "shaders/$name.comp" ] || violation "$kernels: shaders/$name.comp is missing"
    done
    find shaders -name '*.comp' -o -name '*.glsl' -o -name '*.h' >"$list"
    while IFS= read -r file; do
        awk -v file="$file" '
            length($0) > 100 { print file ":" NR ": more than 100 columns" }
            /TODO|FIXME|XXX|#if 0/ { print file ":" NR ": left open" }
            NR == 1 && !/SPDX-License-Identifier: Apache-2.0/ {
                print file ": the line SPDX-License-Identifier is missing"
            }
            END { if (NR > 600) print file ": " NR " lines, more than 600" }' "$file" >>"$found"
    done <"$list"
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

[ $# -gt 0 ] || set -- includes backend_names operator_files shaders sizes licences format
for name in "$@"; do
    "check_$name" || exit 2
done
if [ -s "$found" ]; then
    sort -u "$found"
    exit 1
fi
