/* SPDX-License-Identifier: Apache-2.0 */
/* It calls itself otherwise than its file. */
#include "stub.h"

HEED_BACKEND_ENTRY(wrong_name) {
    static struct heed_backend table = STUB_TABLE("wrong_name");
    (void)abi_version;
    table.name = "another";
    return &table;
}
