/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow runs without memory: each allocation fails once. What is watched over never notices, what
 * cannot be compared is counted, and nothing leaks. */
#include "shadow_test.h"

static struct test_memory failing;

/* Two runs that a wrong backend shadows, so that everything is gone through, blame included. */
static enum heed_status watch(struct heed_context *own, struct heed_program *program,
                              struct heed_shadow_statistics *seen) {
    const struct heed_shadow_options options = {.struct_size = sizeof options,
                                                .backend = FAULTY("tile"),
                                                .plugin_path = HEED_TEST_PLUGINS,
                                                .rate = 1,
                                                .max_findings = 1};
    struct heed_shadow *shadow = NULL;
    struct heed_instance *instance = NULL;
    const enum heed_status status = heed_shadow_create(own, &options, &shadow);
    if (status != HEED_OK)
        return status;
    assert_ok(heed_instance_create(context, program, &instance));
    heed_instance_set_shadow(instance, shadow);
    float *x = heed_instance_input(instance, "x", NULL);
    for (int i = 0; i < 8 * 8; i++)
        x[i] = (float)(i % 5) - 1.5f;
    for (int run = 0; run < 2; run++) {
        assert_ok(heed_instance_run(context, instance));
        const float *y = heed_instance_output(instance, "y", NULL);
        assert_true(y[0] == x[0] && y[63] == x[63]); /* the weight is the identity */
    }
    *seen = statistics_of(shadow);
    assert_int_equal(seen->drawn, 2);
    heed_instance_destroy(instance);
    heed_shadow_destroy(shadow);
    return HEED_OK;
}

static struct heed_program *identity(void) {
    static const int64_t dims[] = {8, 8};
    static float weight[64];
    struct heed_graph *graph = NULL;
    heed_tensor x, y;
    for (int i = 0; i < 8; i++)
        weight[i * 9] = 1;
    assert_ok(heed_graph_create(context, "identity", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, dims, 0, &x);
    const heed_tensor w = constant(graph, "w", 2, dims, weight);
    const struct heed_matmul_attrs attrs = {.struct_size = (uint32_t)sizeof attrs};
    heed_graph_matmul(graph, "product", x, w, &attrs, &y);
    heed_graph_output(graph, "y", y);
    assert_ok(heed_graph_freeze(graph));
    return program_of("fake_a,only", graph);
}

static void every_allocation_fails_once(void **state) {
    (void)state;
    struct heed_program *program = identity();
    struct heed_shadow_statistics seen;
    long refused = 0, missed = 0;
    assert_ok(watch(context, program, &seen));
    assert_int_equal(seen.disagreed, 2);
    for (long at = 1;; at += at < 200 ? 1 : 13) { /* looking for blame takes thousands */
        test_memory_init(&failing);
        struct heed_context *own = test_context(&failing, NULL, HEED_LOG_ERROR);
        assert_non_null(own);
        atomic_store(&failing.fail_at, atomic_load(&failing.calls) + at);
        const enum heed_status status = watch(own, program, &seen);
        const bool reached = atomic_load(&failing.calls) >= atomic_load(&failing.fail_at);
        if (status != HEED_OK) {
            refused++;
            if (status != HEED_ERROR_OUT_OF_MEMORY && status != HEED_ERROR_NOT_FOUND &&
                status != HEED_ERROR_INTERNAL)
                fail_msg("allocation %ld: %s: %s", at, heed_status_name(status),
                         heed_last_error(own));
            assert_true(heed_last_error(own)[0] != '\0');
        } else if (seen.disagreed < 2) {
            missed++;
            assert_int_equal(seen.disagreed + seen.dropped + seen.failed + seen.declined, 2);
        }
        heed_context_destroy(own);
        assert_int_equal(atomic_load(&failing.live), 0);
        if (!reached)
            break;
    }
    if (refused < 20 || missed < 20)
        fail_msg("%ld shadows were refused, %ld missed something", refused, missed);
    heed_program_release(program);
}

int main(void) {
    const struct CMUnitTest tests[] = {exec_test(every_allocation_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
