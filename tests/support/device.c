/* SPDX-License-Identifier: Apache-2.0 */
/* A context and an executor of the Vulkan plugin for a group of tests. */
#include "tests/support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/backends.h"

int support_device_setup(void **state) {
    static struct support_device device;
    static struct support_backend backends[SUPPORT_BACKENDS];
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "vulkan,only", .plugin_path = HEED_TEST_PLUGINS};
    const size_t count = support_backends(backends);
    for (size_t i = 0; i < count; i++)
        if (strcmp(backends[i].name, "vulkan") == 0)
            device.numeric = backends[i].numeric;
    if (heed_context_create(NULL, &device.context) != HEED_OK)
        return -1;
    (void)heed_executor_create(device.context, &options, &device.executor);
    *state = &device;
    return 0;
}

int support_device_teardown(void **state) {
    struct support_device *device = *state;
    heed_executor_release(device->executor);
    heed_context_destroy(device->context);
    return 0;
}

void support_need_device(const struct support_device *device) {
    if (device->executor != NULL)
        return;
    print_message("SKIP: the vulkan plugin was not built, or has no device\n");
    skip();
}

void support_ok(struct heed_context *context, enum heed_status status) {
    if (status != HEED_OK)
        fail_msg("%s: %s", heed_status_name(status), heed_last_error(context));
}

bool support_device_run(struct heed_context *context, const char *limits, struct heed_graph *graph,
                        void (*fill)(struct heed_instance *instance),
                        void (*take)(struct heed_instance *instance, void *user), void *user) {
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "vulkan,only", .plugin_path = HEED_TEST_PLUGINS};
    struct heed_executor *executor = NULL;
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    assert_int_equal(limits != NULL ? setenv("HEED_VULKAN_LIMITS", limits, 1)
                                    : unsetenv("HEED_VULKAN_LIMITS"),
                     0);
    const bool ran = heed_executor_create(context, &options, &executor) == HEED_OK &&
                     heed_program_compile(context, executor, graph, &program) == HEED_OK;
    if (ran) {
        support_ok(context, heed_instance_create(context, program, &instance));
        fill(instance);
        support_ok(context, heed_instance_run(context, instance));
        take(instance, user);
    }
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
    return ran;
}

static void add_runs(void *user, const char *backend, const char *op, uint64_t runs, uint64_t ns) {
    (void)backend, (void)op, (void)ns;
    *(uint64_t *)user += runs;
}

uint64_t support_profile_runs(const struct heed_profile *profile) {
    uint64_t runs = 0;
    heed_profile_totals(profile, add_runs, &runs);
    return runs;
}
