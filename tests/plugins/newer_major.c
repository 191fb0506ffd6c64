/* SPDX-License-Identifier: Apache-2.0 */
/* Built for the next major version of the interface, and not careful enough to say so. */
#include "stub.h"

HEED_BACKEND_ENTRY(newer_major) {
    static struct heed_backend table = STUB_TABLE("newer_major");
    (void)abi_version;
    table.abi_version = (HEED_ABI_MAJOR + 1) << 16;
    return &table;
}
