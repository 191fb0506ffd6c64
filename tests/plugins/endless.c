/* SPDX-License-Identifier: Apache-2.0 */
/* Its table is longer than can be. */
#include "stub.h"

HEED_BACKEND_ENTRY(endless) {
    static struct heed_backend table = STUB_TABLE("endless");
    (void)abi_version;
    table.struct_size = 1u << 30;
    return &table;
}
