/* SPDX-License-Identifier: Apache-2.0 */
/* heed_devices(): all that could be used, and why the rest could not. */
#include <stdio.h>
#include <string.h>

#include "runtime/exec/plugin.h"

enum { REPORT_BYTES = 8192 };

struct walk {
    const struct heedi_env *env;
    heed_device_fn fn;
    void *user;
    struct heed_device_info *infos;
    char *report; /* [REPORT_BYTES] */
};

/* What the backend says of a device beyond its info; "" where it says nothing. */
static const char *report(const struct walk *walk, const struct heed_backend *table,
                          uint32_t index) {
    struct heed_report_extension known;
    const void *raw =
        table->get_extension != NULL ? table->get_extension(HEED_EXTENSION_REPORT) : NULL;
    if (raw == NULL ||
        heedi_read_struct(&known, sizeof known, raw, HEED_EXTENSION_REPORT, NULL) != HEED_OK ||
        known.write == NULL)
        return "";
    struct heed_error error = heedi_plugin_error();
    walk->report[0] = '\0';
    if (known.write(index, walk->report, REPORT_BYTES, &error) != HEED_OK)
        return "";
    walk->report[REPORT_BYTES - 1] = '\0';
    return walk->report;
}

static bool show(void *user, struct heedi_backend *backend, const char *reason) {
    struct walk *walk = user;
    struct heed_device device;
    memset(&device, 0, sizeof device);
    device.struct_size = (uint32_t)sizeof device;
    snprintf(device.backend, sizeof device.backend, "%s", backend->name);
    snprintf(device.path, sizeof device.path, "%s", backend->path != NULL ? backend->path : "");
    device.report = "";
    if (reason != NULL) {
        walk->fn(walk->user, &device, reason);
        return true;
    }
    snprintf(device.version, sizeof device.version, "%s", backend->table.version);
    struct heed_error error = heedi_plugin_error();
    uint32_t count = 0;
    heedi_plugin_devices(&backend->table, walk->infos, HEEDI_MAX_DEVICES, &count, &error);
    if (count == 0)
        walk->fn(walk->user, &device, error.message);
    for (uint32_t i = 0; i < count; i++) {
        device.index = i;
        device.info = walk->infos[i];
        device.report = report(walk, &backend->table, i);
        walk->fn(walk->user, &device, NULL);
    }
    heedi_backend_clear(walk->env, backend);
    return true;
}

enum heed_status heed_devices(struct heed_context *context, const char *plugin_path,
                              heed_device_fn fn, void *user) {
    if (fn == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_devices: fn must not be NULL");
    struct walk walk = {.env = &context->env, .fn = fn, .user = user};
    walk.infos = heedi_calloc(walk.env, HEEDI_MAX_DEVICES, sizeof *walk.infos);
    walk.report = heedi_calloc(walk.env, REPORT_BYTES, 1);
    enum heed_status status = HEED_OK;
    if (walk.infos == NULL || walk.report == NULL)
        status = heedi_fail_memory(context, "a list of devices",
                                   HEEDI_MAX_DEVICES * sizeof *walk.infos + REPORT_BYTES);
    else
        status = heedi_plugin_each(walk.env, plugin_path, show, &walk, &context->error);
    heedi_free(walk.env, walk.infos);
    heedi_free(walk.env, walk.report);
    return status;
}
