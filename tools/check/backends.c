/* SPDX-License-Identifier: Apache-2.0 */
/* Which backends are checked. */
#include <stdlib.h>
#include <string.h>

#include "tools/check/check.h"

/* "scalar" of "scalar:0(options)" and of "/folder/heed-backend-scalar.so". */
static void plain_name(const char *entry, char *name, size_t bytes) {
    const char *name_at = heedi_tool_entry_name(entry, strlen(entry));
    snprintf(name, bytes, "%.*s", (int)strcspn(name_at, ".:("), name_at);
}

static int add(struct heedi_checking *checking, const char *entry, size_t length) {
    if (checking->backend_count == HEEDI_CHECKED_BACKENDS) {
        heedi_tool_message("at most %d backends can be checked at once", HEEDI_CHECKED_BACKENDS);
        return TOOL_USAGE;
    }
    struct heedi_checked_backend *backend = &checking->backends[checking->backend_count];
    if (length == 0 || length >= sizeof backend->entry) {
        heedi_tool_message("--backend: expected names joined by ',', got '%.*s'", (int)length,
                           entry);
        return TOOL_USAGE;
    }
    memcpy(backend->entry, entry, length);
    plain_name(backend->entry, backend->name, sizeof backend->name);
    const char *rest = backend->entry + strcspn(backend->entry, "(");
    if (strchr(backend->entry, '/') != NULL)
        snprintf(backend->label, sizeof backend->label, "%.60s%.30s", backend->name, rest);
    else
        snprintf(backend->label, sizeof backend->label, "%.90s", backend->entry);
    checking->backend_count++;
    return TOOL_OK;
}

static int add_list(struct heedi_checking *checking, const char *list) {
    int code = TOOL_OK;
    while (code == TOOL_OK && list != NULL) {
        const size_t length = heedi_tool_entry_length(list);
        code = add(checking, list, length);
        list = list[length] == ',' ? list + length + 1 : NULL;
    }
    return code;
}

struct found {
    struct heedi_checking *checking;
    int code;
};

static void take_device(void *user, const struct heed_device *device, const char *reason) {
    struct found *found = user;
    char entry[TOOL_DEVICE_ENTRY];
    const bool software = device->info.type == HEED_DEVICE_SOFTWARE;
    if (reason != NULL || found->code != TOOL_OK ||
        (software && !found->checking->options->check.all))
        return;
    heedi_tool_device_entry(device, entry);
    found->code = add(found->checking, entry, strlen(entry));
}

static void describe(void *user, const struct heed_device *device, const char *reason) {
    struct heedi_checking *checking = user;
    for (size_t i = 0; reason == NULL && i < checking->backend_count; i++) {
        struct heedi_checked_backend *backend = &checking->backends[i];
        if (backend->found || !heedi_tool_entry_names(backend->entry, device))
            continue;
        backend->found = true;
        backend->numeric = device->info.numeric;
        snprintf(backend->description, sizeof backend->description, "%s %s, %s", device->backend,
                 device->version, device->info.name);
    }
}

int heedi_check_backends(struct heedi_checking *checking) {
    struct found found = {.checking = checking};
    const struct heedi_tool_check_options *check = &checking->options->check;
    for (size_t i = 0; i < check->backend_count && found.code == TOOL_OK; i++)
        found.code = add_list(checking, check->backends[i]);
    if (check->backend_count == 0)
        heed_devices(checking->context, NULL, take_device, &found);
    if (found.code != TOOL_OK)
        return found.code;
    heed_devices(checking->context, NULL, describe, checking);
    for (size_t i = 0; i < checking->backend_count; i++) {
        struct heedi_checked_backend *backend = &checking->backends[i];
        char folder[sizeof backend->entry];
        snprintf(folder, sizeof folder, "%.*s", (int)strcspn(backend->entry, "("), backend->entry);
        char *slash = strrchr(folder, '/');
        if (slash != NULL) {
            *slash = '\0';
            heed_devices(checking->context, folder, describe, checking);
        }
        if (!backend->found) {
            heedi_tool_message("--backend: '%s' cannot be used here; see heed devices",
                               backend->entry);
            return TOOL_NO_BACKEND;
        }
    }
    if (checking->backend_count > 0)
        return TOOL_OK;
    heedi_tool_message("no backend can be used here; see heed devices");
    return TOOL_NO_BACKEND;
}
