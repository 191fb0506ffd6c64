/* SPDX-License-Identifier: Apache-2.0 */
/* Who takes part in a comparison. */
#include <string.h>

#include "tools/bench/bench.h"

void heedi_bench_reason(const struct heedi_bench *bench, enum heed_status status,
                        char reason[HEEDI_BENCH_REASON]) {
    const char *said = heed_last_error(bench->context);
    if (status == HEED_ERROR_OUT_OF_MEMORY || said[0] == '\0')
        said = heed_status_text(status);
    snprintf(reason, HEEDI_BENCH_REASON, "%.*s", HEEDI_BENCH_REASON - 1, said);
}

static int add(struct heedi_bench *bench, const char *label, size_t length) {
    if (bench->backend_count == HEEDI_BENCH_BACKENDS) {
        heedi_tool_message("at most %d backends can be compared at once", HEEDI_BENCH_BACKENDS);
        return TOOL_USAGE;
    }
    struct heedi_bench_backend *backend = &bench->backends[bench->backend_count];
    if (length == 0 || length >= sizeof backend->label) {
        heedi_tool_message("--backends: expected names joined by ',' (or by '+' for backends that "
                           "work together), got '%.*s'",
                           (int)length, label);
        return TOOL_USAGE;
    }
    for (size_t i = 0; i < length; i++)
        backend->list[i] = label[i] == '+' ? ',' : label[i];
    /* "scalar.so" for the path of a plugin */
    const char *name = heedi_tool_entry_name(label, length); /* "scalar.so" of a path */
    memcpy(backend->label, name, (size_t)(label + length - name));
    bench->backend_count++;
    return TOOL_OK;
}

/* Whether one of the entries of `list` names the device. */
static bool names_device(const char *list, const struct heed_device *device) {
    for (const char *entry = list; entry != NULL;) {
        const char *end = entry + heedi_tool_entry_length(entry);
        if (heedi_tool_entry_names(entry, device))
            return true;
        entry = *end == ',' ? end + 1 : NULL;
    }
    return false;
}

static void describe(void *user, const struct heed_device *device, const char *reason) {
    struct heedi_bench *bench = user;
    if (reason != NULL)
        return;
    for (size_t i = 0; i < bench->backend_count; i++) {
        struct heedi_bench_backend *backend = &bench->backends[i];
        if (!names_device(backend->list, device) ||
            strstr(backend->description, device->backend) != NULL)
            continue;
        const size_t used = strlen(backend->description);
        snprintf(backend->description + used, sizeof backend->description - used, "%s%s %s: %s%s%s",
                 used > 0 ? "; " : "", device->backend, device->version, device->info.name,
                 device->info.description[0] != '\0' ? ", " : "", device->info.description);
        if (device->info.type == HEED_DEVICE_CPU)
            backend->host = true;
        backend->device = !backend->host && strchr(backend->list, ',') == NULL;
    }
}

/* Device and features of each backend; a plugin named by its path may lie anywhere. */
static void describe_all(struct heedi_bench *bench) {
    heed_devices(bench->context, NULL, describe, bench);
    for (size_t i = 0; i < bench->backend_count; i++) {
        char folder[sizeof bench->backends[0].list];
        snprintf(folder, sizeof folder, "%s", bench->backends[i].list);
        char *slash = strrchr(folder, '/');
        if (slash == NULL || bench->backends[i].description[0] != '\0')
            continue;
        *slash = '\0';
        heed_devices(bench->context, folder, describe, bench);
    }
}

struct found {
    struct heedi_bench *bench;
    int code;
};

/* A GPU that is a program on the processor takes part only when it is named. */
static void take_device(void *user, const struct heed_device *device, const char *reason) {
    struct found *found = user;
    char label[TOOL_DEVICE_ENTRY];
    if (reason != NULL || device->info.type == HEED_DEVICE_SOFTWARE || found->code != TOOL_OK)
        return;
    heedi_tool_device_entry(device, label);
    found->code = add(found->bench, label, strlen(label));
}

int heedi_bench_backends(struct heedi_bench *bench) {
    const char *list = bench->options->bench.backends;
    struct found found = {.bench = bench};
    for (const char *at = list; found.code == TOOL_OK && at != NULL;) {
        const size_t length = heedi_tool_entry_length(at);
        found.code = add(bench, at, length);
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    if (found.code == TOOL_OK && list == NULL)
        heed_devices(bench->context, NULL, take_device, &found);
    if (found.code == TOOL_OK && bench->backend_count == 0) {
        heedi_tool_message("no backend can be used here; see heed devices");
        found.code = TOOL_NO_BACKEND;
    }
    if (found.code == TOOL_OK)
        describe_all(bench);
    for (size_t i = 0; found.code == TOOL_OK && i < bench->backend_count; i++)
        if (bench->backends[i].description[0] == '\0') {
            heedi_tool_message("--backends: '%s' cannot be used here; see heed devices",
                               bench->backends[i].label);
            found.code = TOOL_NO_BACKEND;
        }
    return found.code;
}

struct heed_executor *heedi_bench_executor(const struct heedi_bench *bench, size_t backend,
                                           bool only, char reason[HEEDI_BENCH_REASON]) {
    char list[sizeof bench->backends[0].list + 8];
    struct heed_executor *executor = NULL;
    snprintf(list, sizeof list, "%s%s", bench->backends[backend].list, only ? ",only" : "");
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = list, .pool = bench->pool};
    const enum heed_status status = heed_executor_create(bench->context, &options, &executor);
    if (status != HEED_OK)
        heedi_bench_reason(bench, status, reason);
    return executor;
}
