/* SPDX-License-Identifier: Apache-2.0 */
/* A sound plugin. */
#include "stub.h"

static const struct heed_backend table = STUB_TABLE("good");

HEED_BACKEND_ENTRY(good) {
    (void)abi_version;
    return &table;
}
