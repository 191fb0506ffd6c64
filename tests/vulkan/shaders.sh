#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every shader, compiled as the build does it, is valid for Vulkan 1.1; compiling all takes less than
# 30 s. Those that the build leaves out are named in HEED_SHADERS_LEFT_OUT:
#     shaders.sh SHADERS_DIR COMPILER OPTION...
set -u
shaders=${1:?usage: shaders.sh SHADERS_DIR COMPILER OPTION...}
compiler=${2:-}
[ -n "$compiler" ] || {
    echo "SKIP: the plugin for Vulkan was not built (Debian: libvulkan-volk-dev libvulkan-dev" \
        "glslang-tools)"
    exit 77
}
shift 2
command -v spirv-val >/dev/null 2>&1 || {
    echo "SKIP: spirv-val is not installed (Debian: spirv-tools)"
    exit 77
}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
status=0
count=0
for shader in "$shaders"/*.comp; do
    name=$(basename "$shader" .comp)
    case " ${HEED_SHADERS_LEFT_OUT:-} " in *" $name "*) continue ;; esac
    "$compiler" "$@" -o "$work/$name.spv" "$shader" || status=1
    count=$((count + 1))
done
[ "$count" -gt 0 ] || {
    echo "no shader was found"
    exit 1
}
# Time of the processor, as others may be using it too: that of children is the second line.
times >"$work/times"
seconds=$(awk 'NR == 2 {
    for (i = 1; i <= 2; i++) {
        split($i, part, /[ms]/)
        sum += 60 * part[1] + part[2]
    }
    printf "%.1f", sum
}' "$work/times")
echo "$count shaders compiled in $seconds s"
if awk "BEGIN { exit !($seconds >= 30) }"; then
    echo "compiling all shaders takes 30 s and more"
    status=1
fi
for binary in "$work"/*.spv; do
    spirv-val --target-env vulkan1.1 "$binary" || {
        echo "$(basename "$binary" .spv).comp is not valid"
        status=1
    }
done
exit "$status"
