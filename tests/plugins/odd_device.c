/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin whose device asks for an impossible alignment. */
#include "stub.h"

static enum heed_status describe(struct heed_device_info *devices, size_t stride, uint32_t capacity,
                                 uint32_t *count, struct heed_error *error) {
    const enum heed_status status = stub_enumerate(devices, stride, capacity, count, error);
    if (capacity > 0)
        devices->plan_alignment = 48;
    return status;
}

HEED_BACKEND_ENTRY(odd_device) {
    static struct heed_backend table = STUB_TABLE("odd_device");
    (void)abi_version;
    table.enumerate = describe;
    return &table;
}
