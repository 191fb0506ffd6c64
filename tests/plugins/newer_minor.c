/* SPDX-License-Identifier: Apache-2.0 */
/* Built with a later minor version, of whose additions it uses none. */
#include "stub.h"

HEED_BACKEND_ENTRY(newer_minor) {
    /* The second element stands for what later versions append: all zero. */
    static struct heed_backend longer[2] = {STUB_TABLE("newer_minor")};
    (void)abi_version;
    longer[0].struct_size = (uint32_t)sizeof longer;
    longer[0].abi_version = HEED_ABI_VERSION + 1;
    return longer;
}
