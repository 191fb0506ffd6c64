/* SPDX-License-Identifier: Apache-2.0 */
/* Its table does not even hold a version. */
#include "stub.h"

HEED_BACKEND_ENTRY(tiny) {
    static struct heed_backend table = STUB_TABLE("tiny");
    (void)abi_version;
    table.struct_size = 4;
    return &table;
}
