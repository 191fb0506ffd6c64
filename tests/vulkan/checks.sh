#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The checks of operators once more, on a device in software that pretends to be another, or under
# the layer that checks how Vulkan is used:
#     checks.sh small|narrow|wide|dot|staged|validation PROGRAM...
# On the device as it is more cases run, beside all other backends (tests/check); here one of ten.
form=${1:?usage: checks.sh small|narrow|wide|dot|staged|validation PROGRAM...}
shift
. "$(dirname -- "$0")/common.sh"
need_device
export HEED_TEST_BACKEND=vulkan HEED_TEST_EVERY=10

case $form in
small) # the least that Vulkan 1.1 promises, which is what some phones give
    export HEED_VULKAN_LIMITS="workgroup=128,groups=65535,shared=16384,subgroup=0,descriptors=4,\
align=256,range=134217728,f16=0,i8=0,dot=0"
    "$HEED" devices | grep -q '^vulkan.*workgroups of 128, 16 KiB shared' ||
        wrong "HEED_VULKAN_LIMITS has no effect"
    "$HEED" devices | grep -q '^vulkan.*subgroups' && wrong "HEED_VULKAN_LIMITS leaves subgroups"
    ;;
narrow | wide) # lavapipe's subgroups are as wide as the processor's vectors
    case $form in narrow) bits=128 lanes=4 ;; *) bits=512 lanes=16 ;; esac
    export LP_NATIVE_VECTOR_WIDTH=$bits MESA_SHADER_CACHE_DIR="$work" # its keys leave out the width
    "$HEED" devices | grep -q "^vulkan.*subgroups of $lanes" ||
        skip "the device has no subgroups of $lanes by LP_NATIVE_VECTOR_WIDTH=$bits"
    ;;
dot) # by integer dot products, accelerated or not, under the layer
    need_validation
    export HEED_VULKAN_LIMITS=dot=1
    ;;
staged) # as a card, whose memory the host does not write
    export HEED_VULKAN_LIMITS=unified=0 HEED_TEST_EVERY=40
    ;;
validation)
    need_validation
    ;;
*)
    echo "checks.sh: unknown form '$form'"
    exit 2
    ;;
esac

for program in "$@"; do
    case $form:$program in # fused kernels have no subgroups
    narrow:*fuse_* | wide:*fuse_*) continue ;;
    dot:*quantized | dot:*fuse_norm | dot:*fuse_attention | dot:*fuse_choice) ;;
    dot:*) continue ;;
    esac
    what="$form: $program"
    "$program" >"$work/out" 2>"$work/err" || {
        wrong "$what failed"
        grep -vE '^\[ (RUN|     OK) ' "$work/out" "$work/err" | tail -n 30
    }
    case $form in dot | validation) validated ;; esac
done
finish
