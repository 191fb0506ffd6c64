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

/* What sets a backend apart. `other`: it with the option that makes it run what it does not by
 * itself, such as the products in which OpenBLAS gains nothing. */
static const struct peculiarity {
    const char *name, *other;
    bool rows_vary;
} peculiarities[] = {{"openblas", "openblas(claim=all)", true},
                     {"avx512", "avx512(width=256)", false}};

static void add(struct list *list, const char *name, const struct heed_device *device,
                bool rows_vary) {
    if (list->count == SUPPORT_BACKENDS)
        return;
    struct support_backend *backend = &list->backends[list->count++];
    (void)snprintf(backend->name, sizeof backend->name, "%s", name);
    backend->numeric = device->info.numeric;
    backend->rows_vary = rows_vary;
    backend->software = device->info.type == HEED_DEVICE_SOFTWARE;
}

static void take(void *user, const struct heed_device *device, const char *reason) {
    struct list *list = user;
    if (reason != NULL ||
        (device->info.type != HEED_DEVICE_CPU && device->info.type != HEED_DEVICE_SOFTWARE))
        return;
    if (list->only != NULL && strcmp(list->only, device->backend) != 0)
        return;
    const struct peculiarity *found = NULL;
    for (size_t i = 0; i < sizeof peculiarities / sizeof peculiarities[0]; i++)
        if (strcmp(device->backend, peculiarities[i].name) == 0)
            found = &peculiarities[i];
    add(list, device->backend, device, found != NULL && found->rows_vary);
    if (found != NULL)
        add(list, found->other, device, found->rows_vary);
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
