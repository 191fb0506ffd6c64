#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Translations by Vulkan are those of the reference backend, whatever the device looks like, each time
# again.
. "$(dirname -- "$0")/common.sh"
need_device
lines=$(dirname -- "$0")/../golden/multi30k_100.en
head -n 12 "$lines" >"$work/lines"
expect 0 "$HEED" translate --backend scalar --input "$work/lines"
cp "$work/out" "$work/wanted"

# alike ENVIRONMENT...
alike() {
    expect 0 env "$@" "$HEED" translate --backend "$device,scalar" --input "$work/lines"
    same "$work/out" "$work/wanted"
}

alike A=plain
says_nothing
alike A=again
alike LP_NATIVE_VECTOR_WIDTH=128
alike LP_NATIVE_VECTOR_WIDTH=512
alike HEED_VULKAN_LIMITS="workgroup=128,groups=65535,shared=16384,subgroup=0,descriptors=4,\
align=256,range=134217728,f16=0,i8=0,dot=0"

# storage buffers that show far less than the weights, or an instance: still all on the device
expect 0 env HEED_VULKAN_LIMITS="range=600000" "$HEED" translate --backend "$device,only" \
    --input "$work/lines"
same "$work/out" "$work/wanted"

# 8-bit weights: every operator on the device, by integer dot products or one by one
for type in int8 q8_0; do
    expect 0 "$HEED" convert "$model" --type "$type" -o "$work/$type.gguf"
    set -- --model "$work/$type.gguf" --input "$work/few"
    head -n 3 "$lines" >"$work/few"
    expect 0 "$HEED" translate --backend scalar "$@"
    cp "$work/out" "$work/wanted"
    for dot in 0 1; do
        expect 0 env HEED_VULKAN_LIMITS="dot=$dot" "$HEED" translate --backend "$device,only" "$@"
        same "$work/out" "$work/wanted"
    done
done
finish
