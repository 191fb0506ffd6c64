/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the backend that is checked. */
#include <stdio.h>
#include <string.h>

#include "runtime/check/trial.h"
#include "runtime/exec/executor.h"

enum { CONFIRM_RUNS = 200 }; /* misses what happens in one run of 20 once in 28,000 times */

/* New memory is full of NaNs (0xffffffff is one in every float type), which no result may show. */
static void *allocate_poisoned(void *user, size_t bytes, size_t alignment) {
    const struct heedi_env *env = user;
    void *memory = env->allocator.allocate(env->allocator.user, bytes, alignment);
    if (memory != NULL)
        memset(memory, 0xff, bytes);
    return memory;
}

static void release(void *user, void *memory) {
    const struct heedi_env *env = user;
    env->allocator.release(env->allocator.user, memory);
}

/* What the backend declines is the fallback's: looked at by nobody, but it has to be somebody's. */
static enum heed_status open_executor(struct heedi_target *target,
                                      const struct heed_check_options *options,
                                      struct heed_pool *pool) {
    const struct heed_executor_options wanted = {.struct_size = sizeof wanted,
                                                 .backends = options->backend,
                                                 .plugin_path = options->plugin_path,
                                                 .pool = pool};
    struct heed_executor *executor = NULL;
    const enum heed_status status = heed_executor_create(target->context, &wanted, &executor);
    if (status == HEED_OK)
        target->executors[target->count++] = executor;
    return status;
}

/* That the backend is there, and how it computes. Without "only" another would take its place. */
static enum heed_status look_at_backend(struct heedi_target *target,
                                        const struct heed_check_options *options) {
    struct heed_executor *executor = NULL;
    char *list = heedi_asprintf(&target->env, "%s,only", options->backend);
    if (list == NULL)
        return heedi_fail_memory(target->context, "a name", strlen(options->backend));
    const struct heed_executor_options wanted = {
        .struct_size = sizeof wanted, .backends = list, .plugin_path = options->plugin_path};
    enum heed_status status = heed_executor_create(target->context, &wanted, &executor);
    if (status == HEED_OK && executor->engine->device_count != 1)
        status = heedi_fail(target->context, HEED_ERROR_INVALID_ARGUMENT,
                            "check: '%s' does not name one backend", options->backend);
    if (status == HEED_OK)
        target->numeric = executor->engine->devices[0]->info.numeric;
    heed_executor_release(executor);
    heedi_free(&target->env, list);
    return status;
}

/* One thread where the caller gives no pools. */
static enum heed_status open_executors(struct heedi_target *target,
                                       const struct heed_check_options *options) {
    const struct heed_pool_options one = {.struct_size = sizeof one, .threads = 1};
    enum heed_status status = HEED_OK;
    if (options->pool_count == 0) {
        status = heed_pool_create(target->context, &one, &target->pool);
        if (status == HEED_OK)
            status = open_executor(target, options, target->pool);
    }
    for (uint32_t i = 0; status == HEED_OK && i < options->pool_count; i++)
        status = open_executor(target, options, options->pools[i]);
    return status;
}

static enum heed_status open_target(struct heed_context *context,
                                    const struct heed_check_options *options, bool poisoned,
                                    struct heedi_target *target) {
    *target = (struct heedi_target){.env = context->env, .confirm_runs = CONFIRM_RUNS};
    const struct heed_allocator allocator = {.struct_size = sizeof allocator,
                                             .user = &target->env,
                                             .allocate = allocate_poisoned,
                                             .release = release};
    const struct heed_context_options wanted = {.struct_size = sizeof wanted,
                                                .allocator =
                                                    poisoned ? &allocator : &context->env.allocator,
                                                .log = context->env.log,
                                                .log_user = context->env.log_user,
                                                .log_level = context->env.log_level};
    if (options->backend == NULL || options->backend[0] == '\0')
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT, "check: no backend is named");
    if (options->pool_count > HEEDI_TARGET_EXECUTORS)
        return heedi_fail(context, HEED_ERROR_LIMIT, "check: %u pools, more than %d",
                          options->pool_count, HEEDI_TARGET_EXECUTORS);
    if (heed_context_create(&wanted, &target->context) != HEED_OK)
        return heedi_fail_memory(context, "a context", 0);
    enum heed_status status = look_at_backend(target, options);
    if (status == HEED_OK)
        status = open_executors(target, options);
    if (status != HEED_OK)
        return heedi_fail(context, status, "%s", heed_last_error(target->context));
    return HEED_OK;
}

enum heed_status heedi_target_open(struct heed_context *context,
                                   const struct heed_check_options *options,
                                   struct heedi_target *target) {
    return open_target(context, options, true, target);
}

enum heed_status heedi_target_open_plain(struct heed_context *context,
                                         const struct heed_check_options *options,
                                         struct heedi_target *target) {
    return open_target(context, options, false, target);
}

void heedi_target_close(struct heedi_target *target) {
    for (uint32_t i = 0; i < target->count; i++)
        heed_executor_release(target->executors[i]);
    heed_pool_release(target->pool);
    heed_context_destroy(target->context);
    *target = (struct heedi_target){.count = 0};
}
