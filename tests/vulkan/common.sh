# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What tests of the Vulkan plugin share; read with '.'. HEED is the program, HEED_MODELS the folder
# of the default model. They run on Vulkan's software device (Debian: mesa-vulkan-drivers) and are
# skipped where there is none.
. "$(dirname -- "$0")/../cli/common.sh"
unset HEED_VULKAN_LIMITS VK_INSTANCE_LAYERS VK_LAYER_SETTINGS_PATH LP_NATIVE_VECTOR_WIDTH

skip() {
    echo "SKIP: $*"
    exit 77
}

# need_device: there is a plugin, and a device in software; $device is its name, such as vulkan:0.
need_device() {
    "$HEED" devices >"$work/devices" 2>&1
    grep -q '^vulkan' "$work/devices" ||
        skip "the plugin for Vulkan was not built (Debian: libvulkan-volk-dev libvulkan-dev" \
            "glslang-tools)"
    device=$(sed -n 's/^\(vulkan:[0-9]*\) .*(software.*/\1/p' "$work/devices" | head -n 1)
    [ -n "$device" ] ||
        skip "Vulkan has no device in software (Debian: mesa-vulkan-drivers)"
}
