/* SPDX-License-Identifier: Apache-2.0 */
/* Which backends are there. */
#include "tests/support/backends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list {
    struct support_backend *backends;
    const char *only;
    size_t count;
};

static void take(void *user, const struct heed_device *device, const char *reason) {
    struct list *list = user;
    if (reason != NULL || device->info.type != HEED_DEVICE_CPU || list->count == SUPPORT_BACKENDS)
        return;
    if (list->only != NULL && strcmp(list->only, device->backend) != 0)
        return;
    struct support_backend *backend = &list->backends[list->count++];
    (void)snprintf(backend->name, sizeof backend->name, "%s", device->backend);
    backend->numeric = device->info.numeric;
}

size_t support_backends(struct support_backend backends[SUPPORT_BACKENDS]) {
    struct list list = {.backends = backends, .only = getenv("HEED_TEST_BACKEND")};
    struct heed_context *context = NULL;
    if (heed_context_create(NULL, &context) != HEED_OK ||
        heed_devices(context, HEED_TEST_PLUGINS, take, &list) != HEED_OK)
        (void)fprintf(stderr, "%s\n", heed_last_error(context));
    heed_context_destroy(context);
    return list.count;
}
