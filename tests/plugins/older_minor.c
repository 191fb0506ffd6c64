/* SPDX-License-Identifier: Apache-2.0 */
/* Built when the table ended with its last required function. */
#include "stub.h"

HEED_BACKEND_ENTRY(older_minor) {
    static struct heed_backend table = STUB_TABLE("older_minor");
    (void)abi_version;
    table.struct_size = (uint32_t)offsetof(struct heed_backend, get_extension);
    return &table;
}
