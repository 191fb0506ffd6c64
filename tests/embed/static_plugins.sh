#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds with -DHEED_STATIC_PLUGINS=ON and translates without any plugin file:
#     static_plugins.sh SOURCE_DIR BUILD_DIR CMAKE CC CXX
set -u
source=${1:?usage: static_plugins.sh SOURCE_DIR BUILD_DIR CMAKE CC CXX}
build=${2:?}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
HEED=$build/bin/heed
HEED_MODELS=$build
. "$here/../cli/common.sh"
text='Two dogs are running in the snow.'
expect 0 "$HEED" translate "$text"
cp "$work/out" "$work/wanted"

expect 0 "$3" -S "$source" -B "$work/build" -DHEED_STATIC_PLUGINS=ON -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_COMPILER="$4" -DCMAKE_CXX_COMPILER="$5" -DCMAKE_C_FLAGS_DEBUG=-O1
expect 0 "$3" --build "$work/build" -j "$(nproc 2>/dev/null || echo 2)"
[ -z "$(find "$work/build" -name 'heed-backend-*')" ] || wrong "a plugin file was built"
expect 0 "$work/build/bin/heed" translate "$text"
same "$work/out" "$work/wanted"
expect 0 "$work/build/bin/heed" devices -v
grep -q 'linked in' "$work/out" || wrong "scalar is not linked in"
# a program that uses Vulkan itself finds none of its functions here
nm "$(find "$work/build" -name libheed.a)" 2>/dev/null | grep -E ' [A-Z] (vk|volk)[A-Z]' |
    grep -v ' U ' >"$work/out" && wrong "libheed.a defines names of Vulkan's"
expect 0 "$3" --install "$work/build" --prefix "$work/installed"
expect 0 "$work/installed/bin/heed" translate "$text"
same "$work/out" "$work/wanted"
finish
