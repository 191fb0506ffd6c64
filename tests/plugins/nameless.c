/* SPDX-License-Identifier: Apache-2.0 */
/* It has no name. */
#include "stub.h"

HEED_BACKEND_ENTRY(nameless) {
    static struct heed_backend table = STUB_TABLE("nameless");
    (void)abi_version;
    table.name = NULL;
    return &table;
}
