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

/* The list that makes a backend run all it can, where it leaves some of that to others: products
 * in which OpenBLAS gains nothing are not claimed. */
static const struct {
    const char *name, *eager;
} eager_lists[] = {{"openblas", "openblas(claim=all)"}};

static void add(struct list *list, const char *name, const struct heed_device *device) {
    if (list->count == SUPPORT_BACKENDS)
        return;
    struct support_backend *backend = &list->backends[list->count++];
    (void)snprintf(backend->name, sizeof backend->name, "%s", name);
    backend->numeric = device->info.numeric;
}

static void take(void *user, const struct heed_device *device, const char *reason) {
    struct list *list = user;
    if (reason != NULL || device->info.type != HEED_DEVICE_CPU)
        return;
    if (list->only != NULL && strcmp(list->only, device->backend) != 0)
        return;
    add(list, device->backend, device);
    for (size_t i = 0; i < sizeof eager_lists / sizeof eager_lists[0]; i++)
        if (strcmp(device->backend, eager_lists[i].name) == 0)
            add(list, eager_lists[i].eager, device);
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
