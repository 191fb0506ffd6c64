#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Devices as the program shows and chooses them; what is missing is one clear line, and the next
# backend does the work.
. "$(dirname -- "$0")/common.sh"
need_device
text='A man is riding a bike.'
expect 0 "$HEED" translate --backend scalar "$text"
cp "$work/out" "$work/wanted"

# one_line WORD...: the text was translated by another backend, and one line says why.
one_line() {
    same "$work/out" "$work/wanted"
    says "backend 'vulkan" 'cannot be used' "$@"
    [ "$(grep -c '^heed: ' "$work/err")" -eq 1 ] || wrong "$what: more than one line"
}

expect 0 "$HEED" devices --format json
grep -q '"backend":[[:space:]]*"vulkan"' "$work/out" || wrong "devices --format json: no vulkan"
grep -q '"type":[[:space:]]*"software"' "$work/out" || wrong "devices --format json: not software"

# what a device is, has and is used for
expect 0 "$HEED" devices
for line in 'driver' 'identity .*UUID [0-9a-f]\{32\}$' 'memory .*MiB\|memory .*GiB' \
    'limits .*workgroups of' 'kernels .*products'; do
    grep -q "^    $line" "$work/out" || wrong "devices does not say '$line'"
done
expect 0 env HEED_VULKAN_LIMITS=subgroup=0,f16=0,i8=0,dot=0,coop=0 "$HEED" devices
grep -q '^    lacks .*subgroup arithmetic, subgroup-size control, 16-bit storage, 8-bit storage, '\
'float16, int8, accelerated integer dot product, cooperative matrix' "$work/out" ||
    wrong "HEED_VULKAN_LIMITS does not take features away"
grep -q '^    kernels .*quantised products: f32; reductions of rows: shared memory' "$work/out" ||
    wrong "features that are taken away do not select other kernels"

# a device that does not exist
expect 0 "$HEED" translate --backend vulkan:99,scalar "$text"
one_line 'no device 99'
expect 6 "$HEED" translate --backend vulkan:99,only "$text"
says 'no device 99'

# no driver, and no Vulkan at all (a library that is none stands before it)
for missing in driver library; do
    case $missing in
    driver) set -- VK_ICD_FILENAMES="$work/none.json" VK_DRIVER_FILES="$work/none.json" ;;
    library)
        mkdir "$work/lib"
        echo 'no library' >"$work/lib/libvulkan.so.1"
        cp "$work/lib/libvulkan.so.1" "$work/lib/libvulkan.so"
        set -- LD_LIBRARY_PATH="$work/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
        ;;
    esac
    case $missing in driver) reason='has no driver' ;; *) reason='is not installed' ;; esac
    expect 0 env "$@" "$HEED" devices
    grep -q "^vulkan  not usable: .*$reason" "$work/out" || wrong "no $missing: devices does not say so"
    grep -q '^scalar:0 ' "$work/out" || wrong "no $missing: devices does not list scalar"
    expect 0 env "$@" "$HEED" translate --backend vulkan,scalar "$text"
    one_line "$reason"
    expect 6 env "$@" "$HEED" translate --backend vulkan,only "$text"
    says "$reason"
done

# a device in software is used only where it is named
expect 0 "$HEED" translate --verbose --backend auto "$text"
same "$work/out" "$work/wanted"
if [ "$(grep -c '^vulkan' "$work/devices")" -eq "$(grep -c '^vulkan.*(software' "$work/devices")" ]; then
    grep -q ' on vulkan' "$work/err" && wrong "auto takes a device in software"
fi
expect 0 "$HEED" translate --verbose --backend "$device,scalar" "$text"
same "$work/out" "$work/wanted"
says ' on vulkan'

# HEED_VULKAN_LIMITS only lowers
unlimited=$(grep "^$device " "$work/devices")
for limits in '' 'workgroup=4000000000' 'align=1' 'range=18000000000000000000,work=9999999999999' \
    'f16=1,i8=1,coop=1'; do
    expect 0 env HEED_VULKAN_LIMITS="$limits" "$HEED" devices
    grep -qxF "$unlimited" "$work/out" || wrong "HEED_VULKAN_LIMITS=$limits changes the device"
done
# what it cannot read is one clear line, and other backends go on
for limits in nonsense 'workgroup=' 'workgroup=,,=,shared=x' 'groups=0' 'workgroup=128,shared=0' \
    'range=0' 'align=3' 'align=100000000' 'workgroup=-1' ',,,' 'f16=2' 'subgroup=3' 'shader=1' \
    'a_name_that_is_far_too_long=1' 'range=99999999999999999999'; do
    expect 0 env HEED_VULKAN_LIMITS="$limits" "$HEED" devices
    grep -q '^vulkan  not usable: HEED_VULKAN_LIMITS: ' "$work/out" ||
        wrong "HEED_VULKAN_LIMITS=$limits: devices does not say what is wrong"
    expect 0 env HEED_VULKAN_LIMITS="$limits" "$HEED" translate --backend "$device,scalar" "$text"
    one_line 'HEED_VULKAN_LIMITS: '
done
expect 0 env HEED_VULKAN_LIMITS='shared=16384,workgroup=64' "$HEED" devices
grep -q '^vulkan.*workgroups of 64, 16 KiB shared' "$work/out" || wrong "HEED_VULKAN_LIMITS does nothing"
expect 0 env HEED_VULKAN_LIMITS='descriptors=3' "$HEED" translate --backend "$device,scalar" "$text"
one_line '3 storage buffers, 4 are needed'
finish
