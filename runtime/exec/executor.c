/* SPDX-License-Identifier: Apache-2.0 */
/* Creating and sharing executors. */
#include "runtime/exec/executor.h"

enum { DEFAULT_MAX_PROGRAMS = 32 };

enum heed_status heed_executor_create(struct heed_context *context,
                                      const struct heed_executor_options *options,
                                      struct heed_executor **executor) {
    struct heed_executor_options known = {.struct_size = (uint32_t)sizeof known};
    enum heed_status status = HEED_OK;
    if (executor == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_executor_create: executor must not be NULL");
    *executor = NULL;
    if (options != NULL)
        status = heedi_read_struct(&known, sizeof known, options, "heed_executor_options",
                                   &context->error);
    if (status != HEED_OK)
        return status;
    struct heed_executor *made = heedi_calloc(&context->env, 1, sizeof *made);
    if (made == NULL)
        return heedi_fail_memory(context, "an executor", sizeof *made);
    made->env = context->env;
    heedi_ref_init(&made->references);
    status = heedi_engine_create(context, known.pool, &made->engine);
    if (status == HEED_OK)
        status = heedi_cache_create(
            context, known.max_programs != 0 ? known.max_programs : DEFAULT_MAX_PROGRAMS,
            &made->cache);
    if (status == HEED_OK)
        status = heedi_backends_open(context, made->engine, known.backends, known.plugin_path);
    if (status != HEED_OK) {
        heed_executor_release(made);
        return status;
    }
    *executor = made;
    return HEED_OK;
}

struct heed_executor *heed_executor_retain(struct heed_executor *executor) {
    if (executor != NULL)
        heedi_ref_retain(&executor->references);
    return executor;
}

void heed_executor_release(struct heed_executor *executor) {
    if (executor == NULL || !heedi_ref_release(&executor->references))
        return;
    const struct heedi_env env = executor->env;
    heedi_cache_destroy(executor->cache); /* its programs keep the engine */
    heedi_engine_release(executor->engine);
    heedi_free(&env, executor);
}

uint32_t heedi_executor_aside(struct heed_executor *executor) {
    struct heedi_engine *engine = executor->engine;
    const uint32_t devices = heedi_engine_devices(engine);
    uint32_t count = 0;
    for (uint32_t i = 0; i < devices; i++)
        count += heedi_flag_raised(&engine->devices[i]->aside) ? 1 : 0;
    return count;
}
