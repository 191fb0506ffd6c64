/* SPDX-License-Identifier: Apache-2.0 */
/* Built with a later minor version, with a demand in the part of the table that is unknown here. */
#include "stub.h"

HEED_BACKEND_ENTRY(unknown_tail) {
    static struct heed_backend longer[2] = {STUB_TABLE("unknown_tail"), STUB_TABLE("unknown_tail")};
    (void)abi_version;
    longer[0].struct_size = (uint32_t)sizeof longer;
    longer[0].abi_version = HEED_ABI_VERSION + 1;
    return longer;
}
