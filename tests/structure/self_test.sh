#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Proves that check.sh sees what it is there to see: plants one violation at a time in a copy of the
# tree.  self_test.sh SOURCE_DIR
set -eu
source=${1:?usage: self_test.sh SOURCE_DIR}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
(cd "$source" && tar cf - --exclude='*.gguf' .clang-format runtime models backends shaders tools) |
    (cd "$copy" && tar xf -)
mkdir -p "$copy/tests/unit/runtime/ops"
failures=0

# planted CHECK WHAT FILE TEXT PATTERN: FILE with TEXT appended must make this check say PATTERN.
planted() {
    check=$1
    shift
    if [ -e "$copy/$2" ]; then
        cp "$copy/$2" "$copy/kept"
        existed=yes
    else
        existed=no
        printf '/* SPDX-License-Identifier: Apache-2.0 */\n' >"$copy/$2"
    fi
    printf '%s\n' "$3" >>"$copy/$2"
    status=0
    output=$(sh "$here/check.sh" "$copy" "$check" 2>&1) || status=$?
    if [ "$status" -ne 1 ] || ! printf '%s\n' "$output" | grep -q "$4"; then
        echo "not seen: $1"
        printf '%s\n' "$output"
        failures=1
    fi
    if [ "$existed" = yes ]; then mv "$copy/kept" "$copy/$2"; else rm "$copy/$2"; fi
}

long_function=$(
    echo 'int heedi_planted(int a) {'
    i=0
    while [ $i -lt 120 ]; do
        echo '    a++;'
        i=$((i + 1))
    done
    echo '    return a;'
    echo '}'
)
long_file=$(
    i=0
    while [ $i -lt 600 ]; do
        echo "extern int heedi_planted_$i;"
        i=$((i + 1))
    done
)

planted includes "the runtime includes a model" runtime/base/planted.c '#include "heed/translate.h"' \
    'runtime/base/planted.c: may not include heed/translate.h'
planted includes "the runtime includes the system" runtime/base/planted.c '#include <unistd.h>' \
    'may not include unistd.h'
planted includes "a tool includes the inside of the runtime" tools/planted.c \
    '#include "runtime/base/context.h"' 'may not include runtime/base/context.h'
planted includes "a backend includes the inside of the runtime" backends/scalar/planted.c \
    '#include "runtime/base/context.h"' 'may not include runtime/base/context.h'
planted includes "a backend includes a public header that is none of its business" \
    backends/scalar/planted.c '#include "heed/executor.h"' 'may not include heed/executor.h'
planted includes "a backend includes another" backends/scalar/planted.c \
    '#include "backends/avx2/avx2.h"' 'may not include backends/avx2/avx2.h'
planted includes "what plugins share includes a plugin" backends/cpu/planted.c \
    '#include "backends/scalar/scalar.h"' 'may not include backends/scalar/scalar.h'
planted includes "what all plugins share includes what some share" backends/common/planted.c \
    '#include "backends/cpu/cpu.h"' 'may not include backends/cpu/cpu.h'
planted includes "what plugins share includes the inside of the runtime" backends/cpu/planted.c \
    '#include "runtime/base/context.h"' 'may not include runtime/base/context.h'
planted backend_names "the runtime names a backend" runtime/base/planted.c 'const char *heedi_x = "scalar";' \
    'names the backend scalar'
planted operator_files "an operator without kernel and test" runtime/ops/planted.c \
    'const struct heedi_op heedi_op_planted = {0};' 'backends/scalar/planted.c is missing'
planted shaders "a shader without a word about it" shaders/planted.comp 'void main() {}' \
    'shaders/planted.comp: the comment on top has no Bindings:'
planted shaders "a shader that is not listed" shaders/planted.comp 'void main() {}' \
    'shaders/planted.comp: is not listed'
planted shaders "a shader that is listed and not there" backends/vulkan/kernels.inc \
    'SHADER(PLANTED, planted, 1)' 'shaders/planted.comp is missing'
planted shaders "an operator of the Vulkan plugin under another name" backends/vulkan/planted.c \
    'const struct vk_operator heedi_vk_planted = {0};' 'runtime/ops has no file of this name'
planted shaders "a wide line in a shader" shaders/common/functions.glsl \
    "// $(printf '%0100d' 0)" 'more than 100 columns'
planted sizes "a long function" runtime/base/planted.c "$long_function" 'lines, more than 100'
planted sizes "a long file" runtime/base/planted.c "$long_file" 'lines, more than 600'
planted licences "something left open" runtime/base/planted.c "/* TO""DO later */" 'left open'
exit "$failures"
