/* SPDX-License-Identifier: Apache-2.0 */
/* Serves no version of the interface that it is asked for. */
#include "heed/backend.h"

HEED_BACKEND_ENTRY(null_entry) {
    (void)abi_version;
    return NULL;
}
