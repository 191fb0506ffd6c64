/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once: nothing crashes, nothing leaks, the error is out of memory. */
#include "exec_test.h"

static enum heed_status build(void *user, struct heed_context *of, struct heed_graph **graph) {
    (void)of;
    *graph = heed_graph_retain(user);
    return HEED_OK;
}

/* The whole way, from the list of backends to a profiled run. */
static enum heed_status whole_way(struct heed_context *own, struct heed_graph *graph) {
    struct heed_executor *executor = NULL;
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    struct heed_state *cache = NULL;
    const struct heed_executor_options options = {.struct_size = (uint32_t)sizeof options,
                                                  .backends = "fake_a,fake_b,only",
                                                  .plugin_path = "/nowhere:/nothing"};
    enum heed_status status = heed_executor_create(own, &options, &executor);
    if (status == HEED_OK)
        status = heed_executor_cached_program(own, executor, "key", build, graph, &program);
    if (status == HEED_OK)
        status = heed_instance_create(own, program, &instance);
    if (status == HEED_OK)
        status = heed_profile_create(own, &profile);
    if (status == HEED_OK)
        status = heed_state_create(own, program, "cache", &cache);
    if (status == HEED_OK)
        status = heed_instance_bind_state(own, instance, "cache", cache);
    if (status == HEED_OK) {
        heed_instance_set_profile(instance, profile);
        status = heed_instance_run(own, instance);
    }
    heed_instance_destroy(instance);
    heed_state_destroy(cache);
    heed_profile_destroy(profile);
    heed_program_release(program);
    heed_executor_release(executor);
    return status;
}

/* Attention (to be lowered) over a state, a packed product, a transposed view, two backends. */
static struct heed_graph *rich_graph(void) {
    static const int64_t state_dims[3] = {1, 4, 3}, x_dims[3] = {1, 1, 3}, one[1] = {1};
    struct heed_graph *graph = NULL;
    heed_tensor cache, x, position, y, inputs[HEED_ATTENTION_INPUTS];
    assert_ok(heed_graph_create(context, "rich", &graph));
    heed_graph_state(graph, "cache", HEED_F32, 3, state_dims, &cache);
    heed_graph_input(graph, "x", HEED_F32, 3, x_dims, 0, &x);
    heed_graph_input(graph, "pos", HEED_I32, 1, one, 4, &position);
    heed_graph_cache_append(graph, "append", cache, x, position, HEED_NO_TENSOR, &cache);
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    heed_graph_reshape(graph, NULL, x, 4, (const int64_t[]){1, 1, 1, 3}, &inputs[0]);
    heed_graph_reshape(graph, NULL, cache, 4, (const int64_t[]){1, 1, 4, 3}, &inputs[1]);
    inputs[2] = inputs[1];
    const struct heed_attention_attrs attention = {.struct_size = (uint32_t)sizeof attention};
    heed_graph_attention(graph, "att", inputs, &attention, &y, NULL);
    heed_graph_reshape(graph, NULL, y, 2, (const int64_t[]){1, 3}, &y);
    const heed_tensor w = constant(graph, "w", 2, (const int64_t[]){3, 3}, small_weight);
    const struct heed_matmul_attrs product = {.struct_size = (uint32_t)sizeof product};
    heed_graph_matmul(graph, "product", y, w, &product, &y);
    heed_graph_transpose(graph, NULL, y, (const uint32_t[]){1, 0}, &y);
    heed_graph_unary(graph, HEED_OP_RELU, "bend", y, &y);
    heed_graph_unary(graph, HEED_OP_TANH, "curve", y, &y);
    heed_graph_output(graph, "y", y);
    assert_ok(heed_graph_freeze(graph));
    return graph;
}

static void every_allocation_fails_once(void **state) {
    (void)state;
    fake_a.packs = fake_b.packs = true;
    fake_a.profiled = true;
    fake_a.runs[HEED_OP_TANH] = false;
    fake_a.runs[HEED_OP_ATTENTION] = fake_b.runs[HEED_OP_ATTENTION] = false;
    fake_a.contiguous[HEED_OP_RELU] = true;
    struct heed_graph *graph = rich_graph();
    assert_ok(whole_way(context, graph));
    static struct test_memory failing;
    static struct test_log quiet;
    long failures = 0;
    for (long at = 1;; at++) {
        test_memory_init(&failing);
        test_log_clear(&quiet);
        struct heed_context *own = test_context(&failing, &quiet, HEED_LOG_INFO);
        assert_non_null(own);
        atomic_store(&failing.fail_at, atomic_load(&failing.calls) + at);
        const enum heed_status status = whole_way(own, graph);
        const bool reached = atomic_load(&failing.calls) >= atomic_load(&failing.fail_at);
        if (status != HEED_OK) {
            if (status != HEED_ERROR_OUT_OF_MEMORY)
                fail_msg("allocation %ld: %s: %s", at, heed_status_name(status),
                         heed_last_error(own));
            assert_true(heed_last_error(own)[0] != '\0');
            failures++;
        }
        heed_context_destroy(own);
        assert_int_equal(atomic_load(&failing.live), 0);
        assert_int_equal(atomic_load(&fake_a.live), 0);
        assert_int_equal(atomic_load(&fake_b.live), 0);
        if (!reached)
            break;
    }
    if (failures < 50)
        fail_msg("only %ld allocations failed", failures);
    heed_graph_release(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {exec_test(every_allocation_fails_once)};
    return cmocka_run_group_tests_name("memory_failure", tests, NULL, NULL);
}
