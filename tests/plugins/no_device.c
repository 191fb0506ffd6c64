/* SPDX-License-Identifier: Apache-2.0 */
/* A sound plugin whose device is not there. */
#include "stub.h"

#include <string.h>

static enum heed_status find_nothing(struct heed_device_info *devices, size_t stride,
                                     uint32_t capacity, uint32_t *count, struct heed_error *error) {
    (void)devices;
    (void)stride;
    (void)capacity;
    *count = 0;
    strcpy(error->message, "the card was taken out");
    return HEED_OK;
}

HEED_BACKEND_ENTRY(no_device) {
    static struct heed_backend table = STUB_TABLE("no_device");
    (void)abi_version;
    table.enumerate = find_nothing;
    return &table;
}
