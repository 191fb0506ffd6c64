/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of tests that run graphs of their own on the Vulkan plugin alone. */
#ifndef HEEDI_TESTS_SUPPORT_DEVICE_H
#define HEEDI_TESTS_SUPPORT_DEVICE_H

#include <stdbool.h>

#include "heed/heed.h"

struct support_device {
    struct heed_context *context;
    struct heed_executor *executor; /* NULL: the plugin was not built, or has no device */
    struct heed_numeric_profile numeric;
};

/* For cmocka_run_group_tests(): *state becomes a struct support_device. */
int support_device_setup(void **state);
int support_device_teardown(void **state);
/* Skips the test where there is no device. */
void support_need_device(const struct support_device *device);
/* Fails the test, with the context's message, unless a call succeeded. */
void support_ok(struct heed_context *context, enum heed_status status);
/* Runs a graph, which is released, on the plugin alone with HEED_VULKAN_LIMITS as given (NULL:
 * none), between `fill` and `take`. False: the backend cannot be used, or declines a node. */
bool support_device_run(struct heed_context *context, const char *limits, struct heed_graph *graph,
                        void (*fill)(struct heed_instance *instance),
                        void (*take)(struct heed_instance *instance, void *user), void *user);
/* Nodes and fused groups that ran while the profile was attached. */
uint64_t support_profile_runs(const struct heed_profile *profile);

#endif
