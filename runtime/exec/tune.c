/* SPDX-License-Identifier: Apache-2.0 */
/* The extension "heed.tune/1" of the first backend of an executor. */
#include <string.h>

#include "runtime/exec/executor.h"

/* NULL where there is none, or one that is incomplete; *device: of the executor. */
static bool find(struct heed_executor *executor, const struct heedi_device **device,
                 struct heed_tune_extension *table) {
    const struct heedi_engine *engine = executor->engine;
    *device = heedi_engine_devices(executor->engine) > 0 ? engine->devices[0] : NULL;
    if (*device == NULL || (*device)->backend.table.get_extension == NULL)
        return false;
    const void *raw = (*device)->backend.table.get_extension(HEED_EXTENSION_TUNE);
    return raw != NULL &&
           heedi_read_struct(table, sizeof *table, raw, HEED_EXTENSION_TUNE, NULL) == HEED_OK &&
           table->kernel != NULL && table->save != NULL;
}

/* What a plugin has written can be walked through. */
static bool sound(const struct heed_tune_kernel *kernel) {
    if (kernel->name == NULL || kernel->choice_count == 0 || kernel->case_count == 0 ||
        kernel->choice_count > HEED_TUNE_CHOICES || kernel->case_count > HEED_TUNE_CASES ||
        kernel->standard >= kernel->choice_count)
        return false;
    for (uint32_t i = 0; i < kernel->choice_count; i++)
        if (kernel->choices[i] == NULL)
            return false;
    return true;
}

enum heed_status heed_executor_tunable(struct heed_context *context, struct heed_executor *executor,
                                       heed_tune_fn fn, void *user) {
    const struct heedi_device *device = NULL;
    struct heed_tune_extension table;
    if (executor == NULL || fn == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_executor_tunable: executor and fn must not be NULL");
    if (!find(executor, &device, &table))
        return HEED_OK;
    for (uint32_t i = 0;; i++) {
        struct heed_tune_kernel kernel;
        memset(&kernel, 0, sizeof kernel);
        kernel.struct_size = (uint32_t)sizeof kernel;
        if (table.kernel(device->plugin, i, &kernel) == 0)
            return HEED_OK;
        if (!sound(&kernel))
            return heedi_fail(context, HEED_ERROR_INTERNAL,
                              "backend '%s' describes kernel %u to be tuned wrongly",
                              device->backend.name, (unsigned)i);
        fn(user, &kernel);
    }
}

enum heed_status heed_executor_tune_save(struct heed_context *context,
                                         struct heed_executor *executor, const char *choices) {
    const struct heedi_device *device = NULL;
    struct heed_tune_extension table;
    struct heed_error error = heedi_plugin_error();
    if (executor == NULL || choices == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_executor_tune_save: executor and choices must not be NULL");
    if (!find(executor, &device, &table))
        return heedi_fail(context, HEED_ERROR_UNSUPPORTED, "backend '%s' cannot be tuned",
                          device != NULL ? device->backend.name : "");
    const enum heed_status status =
        heedi_plugin_status(table.save(device->plugin, choices, &error), &error);
    return status == HEED_OK ? HEED_OK
                             : heedi_fail(context, status, "backend '%s': %s", device->backend.name,
                                          error.message);
}
