/* SPDX-License-Identifier: Apache-2.0 */
/* Its table ends in the middle. */
#include "stub.h"

HEED_BACKEND_ENTRY(truncated) {
    static struct heed_backend table = STUB_TABLE("truncated");
    (void)abi_version;
    table.struct_size = (uint32_t)offsetof(struct heed_backend, compile);
    return &table;
}
