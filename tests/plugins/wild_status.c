/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that fails with a status that nobody knows and a message that does not end. */
#include "stub.h"

#include <string.h>

static enum heed_status create_wildly(const struct heed_host *host,
                                      const struct heed_plugin_options *options,
                                      struct heed_plugin **plugin, struct heed_error *error) {
    (void)host;
    (void)options;
    *plugin = (struct heed_plugin *)(void *)error; /* must not be used after a failure */
    memset(error->message, 'x', sizeof error->message);
    return (enum heed_status)4711;
}

HEED_BACKEND_ENTRY(wild_status) {
    static struct heed_backend table = STUB_TABLE("wild_status");
    (void)abi_version;
    table.create = create_wildly;
    return &table;
}
