#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every shader, compiled as the build does it, is valid for Vulkan 1.1:
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
    if ! "$compiler" "$@" -o "$work/$name.spv" "$shader" ||
        ! spirv-val --target-env vulkan1.1 "$work/$name.spv"; then
        echo "$shader is not valid"
        status=1
    fi
    count=$((count + 1))
done
[ "$count" -gt 0 ] || {
    echo "no shader was found"
    exit 1
}
exit "$status"
