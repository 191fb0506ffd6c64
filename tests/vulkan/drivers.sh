#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What devices of all kinds of drivers look like, by a driver that pretends to have them
# (fake_driver.c):  drivers.sh DRIVER
. "$(dirname -- "$0")/common.sh"
driver=${1:-}
[ -f "$driver" ] || skip "the plugin for Vulkan was not built"
printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.1.0"}}\n' \
    "$driver" >"$work/fake.json"
# (a layer of Mesa's would put devices in another order, depending on the desktop)
export VK_ICD_FILENAMES="$work/fake.json" VK_DRIVER_FILES="$work/fake.json" NODEVICE_SELECT=1

# devices LIST: what there is of them, as heed devices shows it
devices() {
    expect 0 env FAKE_DEVICES="$1" "$HEED" devices
    what="devices $1"
    grep -q '^scalar:0 ' "$work/out" || wrong "$what: does not list scalar"
}
# line NUMBER PATTERN: the line of device vulkan:NUMBER
line() {
    grep -q "^vulkan:$1  $2" "$work/out" || wrong "$what: vulkan:$1 is not '$2'"
}
# about NUMBER NAME PATTERN: what the listing says under NAME of device vulkan:NUMBER
about() {
    sed -n "/^vulkan:$1 /,/^[a-z]/p" "$work/out" | grep -q "^    $2 *$3\$" ||
        wrong "$what: '$2' of vulkan:$1 is not '$3'"
}

devices card:one
case $(grep '^vulkan ' "$work/out") in
*'not usable: Vulkan'*installed* | *'not usable: Vulkan has no driver'*)
    skip "Vulkan's loader is not installed, or too old for the driver"
    ;;
esac

# what cannot be used: one line says why
for case in ':Vulkan has no device' 'old:Fake old has Vulkan 1.0, 1.1 is needed' \
    'idle:Fake idle cannot compute'; do
    devices "${case%%:*}"
    grep -q "^vulkan  not usable: ${case#*:}\$" "$work/out" || wrong "$what: not '${case#*:}'"
done
expect 0 env FAKE_DEVICES=old "$HEED" translate --backend vulkan,scalar 'A man.'
says "backend 'vulkan' cannot be used: Fake old has Vulkan 1.0, 1.1 is needed"
cp "$work/out" "$work/wanted"

# one chip under two drivers, in an order that stays; devices in software come last
for order in card:two,old:x,cpu:z,card:one cpu:z,card:one,card:two,idle:y; do
    devices "$order"
    line 0 'Fake card: AMD, one, .*(discrete gpu, 8.0 GiB)$'
    line 1 'Fake card: AMD, two, '
    line 2 'Fake cpu: .*(software, '
    [ "$(grep -c '^vulkan' "$work/out")" -eq 3 ] || wrong "$what: not three devices"
    about 0 driver 'one, Vulkan 1\.1\.0'
    about 1 driver 'two, Vulkan 1\.1\.0'
    for number in 0 1; do
        about "$number" identity 'vendor 1002, device 0000, UUID \(ca\)\{16\}'
    done
done

# a card has everything, and memory of its own; the least that Vulkan 1.1 promises is enough
devices card:one,phone:two
about 0 memory '8\.0 GiB, by copies through staging; at once 1\.0 GiB; budget 6\.0 GiB, 768 MiB in use'
about 0 features 'subgroup arithmetic, subgroup-size control, 16-bit storage, 8-bit storage, float16, int8, accelerated integer dot product, cooperative matrix, timeline semaphores'
about 0 limits '.*; subgroups of 32 to 64'
about 0 kernels '.*cooperative matrices.*quantised products: integer dot products; reductions of rows: subgroups.*'
line 1 'Fake phone: Arm, two, Vulkan 1.1; workgroups of 128, 16 KiB shared  (integrated gpu'
about 1 memory '8\.0 GiB, which the host writes; at once 1\.0 GiB'
about 1 lacks 'subgroup arithmetic, .*, cooperative matrix, timeline semaphores'
about 1 limits '.*16 KiB shared; 4 storage buffers of 128 MiB, aligned to 256; subgroups of 16'

# a device that cannot be opened is one line; one in software is never chosen unasked
expect 0 env FAKE_DEVICES=card:one "$HEED" translate --backend vulkan,scalar 'A man.'
same "$work/out" "$work/wanted"
says "backend 'vulkan" 'opening the device'
expect 0 env FAKE_DEVICES=cpu:one "$HEED" translate --verbose --backend auto 'A man.'
says 'it has only software devices'
finish
