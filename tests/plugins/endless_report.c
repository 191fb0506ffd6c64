/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that writes a report about its device which does not end. */
#include <string.h>

#include "stub.h"

static enum heed_status write_all(uint32_t device, char *text, size_t bytes,
                                  struct heed_error *error) {
    (void)device, (void)error;
    memset(text, 'x', bytes);
    return HEED_OK;
}

static const void *find(const char *name) {
    static const struct heed_report_extension report = {.struct_size = sizeof report,
                                                        .write = write_all};
    return strcmp(name, HEED_EXTENSION_REPORT) == 0 ? &report : NULL;
}

HEED_BACKEND_ENTRY(endless_report) {
    static struct heed_backend table = STUB_TABLE("endless_report");
    (void)abi_version;
    table.get_extension = find;
    return &table;
}
