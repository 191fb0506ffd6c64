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

# need_validation: what runs from here on is watched by the validation layer, hazards between commands
# and between submissions included. It writes to standard output.
need_validation() {
    cat >"$work/vk_layer_settings.txt" <<'SETTINGS'
khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT,VALIDATION_CHECK_ENABLE_SYNCHRONIZATION_VALIDATION_QUEUE_SUBMIT
khronos_validation.validate_sync = true
khronos_validation.syncval_submit_time_validation = true
khronos_validation.report_flags = error,warn,info
khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
SETTINGS
    export VK_LAYER_SETTINGS_PATH="$work" VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation
    "$HEED" devices >"$work/out" 2>&1
    grep -q 'Validation Layer Active' "$work/out" ||
        skip "the validation layer is not there (Debian: vulkan-validationlayers)"
}

# validated: the layer watched what ran, and had nothing to say about it.
validated() {
    cat "$work/out" "$work/err" >"$work/watched"
    grep -q 'Validation Layer Active' "$work/watched" ||
        wrong "$what: was not watched by the validation layer"
    if grep -E 'Validation (Error|Warning|Performance)|VUID-|SYNC-HAZARD' "$work/watched" \
        >"$work/complaints"; then
        wrong "$what: the validation layer says:"
        sort "$work/complaints" | uniq -c | sort -rn | cut -c1-600 | head -n 10
    fi
}
