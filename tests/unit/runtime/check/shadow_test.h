/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of shadow runs share: opening one, running under it, and changing what the first
 * backend has computed before the shadow sees it. */
#ifndef HEED_TESTS_UNIT_RUNTIME_CHECK_SHADOW_TEST_H
#define HEED_TESTS_UNIT_RUNTIME_CHECK_SHADOW_TEST_H

#include "heed/shadow.h"
#include "tests/unit/runtime/exec/exec_test.h"

#define FAULTY(fault) HEED_TEST_ABUSE_PLUGINS "/heed-backend-faulty.so(fault=" fault ")"

static inline struct heed_shadow *open_shadow(const char *backend, double rate) {
    const struct heed_shadow_options options = {.struct_size = sizeof options,
                                                .backend = backend,
                                                .plugin_path = HEED_TEST_PLUGINS,
                                                .rate = rate,
                                                .seed = 1};
    struct heed_shadow *shadow = NULL;
    assert_ok(heed_shadow_create(context, &options, &shadow));
    return shadow;
}

static inline struct heed_shadow_statistics statistics_of(struct heed_shadow *shadow) {
    struct heed_shadow_statistics statistics = {.struct_size = sizeof statistics};
    heed_shadow_drain(shadow);
    assert_int_equal(heed_shadow_statistics(shadow, &statistics), HEED_OK);
    assert_int_equal(statistics.waiting, 0);
    assert_int_equal(statistics.drawn, statistics.dropped + statistics.abandoned +
                                           statistics.checked + statistics.declined +
                                           statistics.failed);
    return statistics;
}

static inline struct heed_shadow_finding finding_of(struct heed_shadow *shadow, uint32_t index) {
    struct heed_shadow_finding finding = {.struct_size = sizeof finding};
    assert_int_equal(heed_shadow_finding(shadow, index, &finding), HEED_OK);
    return finding;
}

static inline struct heed_program *program_of(const char *backends, struct heed_graph *graph) {
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = backends, .plugin_path = HEED_TEST_PLUGINS};
    struct heed_executor *executor = NULL;
    assert_ok(heed_executor_create(context, &options, &executor));
    struct heed_program *program = compile(executor, graph);
    heed_graph_release(graph);
    heed_executor_release(executor);
    return program;
}

/* Calls `change` after the first backend's run, before the shadow copies the results. */
struct meddling {
    struct heedi_observer observer; /* first */
    struct heedi_observer *shadow;
    void (*change)(struct heed_instance *instance);
};

static inline void *meddle_before(struct heedi_observer *observer, struct heed_instance *instance,
                                  uint32_t part, uint32_t steps) {
    struct heedi_observer *shadow = ((struct meddling *)(void *)observer)->shadow;
    return shadow->before(shadow, instance, part, steps);
}

static inline void meddle_after(struct heedi_observer *observer, void *ticket,
                                struct heed_instance *instance, bool ran) {
    struct meddling *meddling = (struct meddling *)(void *)observer;
    meddling->change(instance);
    meddling->shadow->after(meddling->shadow, ticket, instance, ran);
}

/* `meddling` must live as long as the instance. */
static inline void meddle(struct meddling *meddling, struct heed_instance *instance,
                          void (*change)(struct heed_instance *instance)) {
    *meddling = (struct meddling){{meddle_before, meddle_after}, instance->observer, change};
    instance->observer = &meddling->observer;
}

#endif
