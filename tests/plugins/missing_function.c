/* SPDX-License-Identifier: Apache-2.0 */
/* Its table lacks a required function. */
#include "stub.h"

HEED_BACKEND_ENTRY(missing_function) {
    static struct heed_backend table = STUB_TABLE("missing_function");
    (void)abi_version;
    table.submit = NULL;
    return &table;
}
