/* SPDX-License-Identifier: Apache-2.0 */
/* Which backend runs what, and that it is told. */
#include "exec_test.h"

static void first_backend_takes_all(void **state) {
    (void)state;
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    const struct placements placements = placements_of(program);
    assert_string_equal(placements.text, "product:fake_a sum:fake_a bend:fake_a lift:fake_a");
    assert_string_equal(placements.reasons, "[][][][]");
    assert_int_equal(placements.parts, 1);
    /* 2 * 2 * 3 * 3 of the product and one for each of 3 * 6 elements */
    assert_true(placements.flops >= 36 + 18);
    check_small(program);
    assert_int_equal(atomic_load(&fake_b.compiles), 0);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
    assert_string_equal(logged.text, "");
}

static void fallback_is_visible(void **state) {
    (void)state;
    fake_a.runs[HEED_OP_RELU] = false;
    heed_context_destroy(context);
    context = test_context(&memory, &logged, HEED_LOG_INFO);
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    const struct placements placements = placements_of(program);
    assert_string_equal(placements.text, "product:fake_a sum:fake_a bend:fake_b lift:fake_a");
    assert_string_equal(placements.reasons, "[][][fake_a: no relu here][]");
    assert_int_equal(placements.parts, 3);
    assert_logged("node 'bend' (relu) runs on 'fake_b' (fake_a: no relu here)");
    check_small(program);
    assert_int_equal(atomic_load(&fake_a.runs_done), 2);
    assert_int_equal(atomic_load(&fake_b.runs_done), 1);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
}

static void nobody_runs_it(void **state) {
    (void)state;
    fake_a.runs[HEED_OP_RELU] = fake_b.runs[HEED_OP_RELU] = false;
    fake_b.runs[HEED_OP_ADD] = false;
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_graph *graph = small_graph();
    struct heed_program *program = NULL;
    assert_fails(heed_program_compile(context, executor, graph, &program), HEED_ERROR_UNSUPPORTED,
                 "no backend can run node 'bend' (relu): fake_a: no relu here; fake_b: no relu "
                 "here");
    assert_null(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
}

/* q k^T ... over [1, 1, 2, 2]: with q = k = 0 every key weighs the same, so y is the mean of v. */
static struct heed_graph *attention_graph(void) {
    static const int64_t dims[4] = {1, 1, 2, 2};
    struct heed_graph *graph = NULL;
    heed_tensor inputs[HEED_ATTENTION_INPUTS], y;
    assert_ok(heed_graph_create(context, "attend", &graph));
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    heed_graph_input(graph, "q", HEED_F32, 4, dims, 0, &inputs[HEED_ATTENTION_Q]);
    heed_graph_input(graph, "k", HEED_F32, 4, dims, 0, &inputs[HEED_ATTENTION_K]);
    heed_graph_input(graph, "v", HEED_F32, 4, dims, 0, &inputs[HEED_ATTENTION_V]);
    const struct heed_attention_attrs attrs = {.struct_size = (uint32_t)sizeof attrs,
                                               .score = HEED_SCORE_SCALED};
    heed_graph_attention(graph, "att", inputs, &attrs, &y, NULL);
    heed_graph_output(graph, "y", y);
    assert_ok(heed_graph_freeze(graph));
    return graph;
}

static void lowering_is_offered_again(void **state) {
    (void)state;
    fake_a.runs[HEED_OP_ATTENTION] = fake_b.runs[HEED_OP_ATTENTION] = false;
    fake_a.runs[HEED_OP_SOFTMAX] = false;
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_graph *graph = attention_graph();
    struct heed_program *program = compile(executor, graph);
    const struct placements placements = placements_of(program);
    assert_null(strstr(placements.text, "att:"));
    assert_non_null(strstr(placements.text, "att/"));
    assert_non_null(strstr(placements.reasons, "[fake_a: no softmax here]"));
    assert_true(atomic_load(&fake_a.queries) >= 2);
    struct heed_instance *instance = NULL;
    assert_ok(heed_instance_create(context, program, &instance));
    static const float v[4] = {1, 10, 3, 30};
    memcpy(heed_instance_input(instance, "v", NULL), v, sizeof v);
    assert_ok(heed_instance_run(context, instance));
    const float *y = heed_instance_output(instance, "y", NULL);
    for (int i = 0; i < 4; i++)
        assert_float_equal(y[i], ((i % 2) == 0 ? 2.0f : 20.0f), 1e-5f);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
}

/* y = softmax-free use of a view: relu(x^T) for x [2, 3]. */
static struct heed_graph *transposed_graph(void) {
    struct heed_graph *graph = NULL;
    heed_tensor x, y;
    assert_ok(heed_graph_create(context, "turned", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, small_dims, 0, &x);
    heed_graph_transpose(graph, "turn", x, (const uint32_t[]){1, 0}, &y);
    heed_graph_unary(graph, HEED_OP_RELU, "bend", y, &y);
    heed_graph_output(graph, "y", y);
    assert_ok(heed_graph_freeze(graph));
    return graph;
}

static void check_transposed(struct heed_program *program) {
    static const float x[6] = {1, 2, 3, 4, 5, -6}, expected[6] = {1, 4, 2, 5, 3, 0};
    struct heed_instance *instance = NULL;
    assert_ok(heed_instance_create(context, program, &instance));
    memcpy(heed_instance_input(instance, "x", NULL), x, sizeof x);
    assert_ok(heed_instance_run(context, instance));
    assert_memory_equal(heed_instance_output(instance, "y", NULL), expected, sizeof expected);
    heed_instance_destroy(instance);
}

static void contiguity_inserts_a_copy(void **state) {
    (void)state;
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_graph *graph = transposed_graph();
    struct heed_program *program = compile(executor, graph);
    assert_string_equal(placements_of(program).text, "turn:view bend:fake_a");
    check_transposed(program);
    heed_program_release(program);

    fake_a.contiguous[HEED_OP_RELU] = true;
    program = compile(executor, graph);
    const struct placements placements = placements_of(program);
    assert_non_null(strstr(placements.text, "copy"));
    assert_non_null(strstr(placements.text, "bend:fake_a"));
    check_transposed(program);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
}

/* A backend that wants even copies to have contiguous inputs cannot have its way for ever. */
static void copies_of_copies_are_refused(void **state) {
    (void)state;
    fake_a.contiguous[HEED_OP_RELU] = fake_a.contiguous[HEED_OP_COPY] = true;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_graph *graph = transposed_graph();
    struct heed_program *program = NULL;
    assert_fails(heed_program_compile(context, executor, graph, &program), HEED_ERROR_UNSUPPORTED,
                 "asks for contiguous inputs where none can be copied");
    heed_graph_release(graph);
    heed_executor_release(executor);
}

/* state' = append(state, x); y = relu(state') */
static struct heed_graph *state_graph(void) {
    static const int64_t state_dims[3] = {1, 4, 2}, x_dims[3] = {1, 1, 2}, one[1] = {1};
    struct heed_graph *graph = NULL;
    heed_tensor cache, x, position, y;
    assert_ok(heed_graph_create(context, "remember", &graph));
    heed_graph_state(graph, "cache", HEED_F32, 3, state_dims, &cache);
    heed_graph_input(graph, "x", HEED_F32, 3, x_dims, 0, &x);
    heed_graph_input(graph, "pos", HEED_I32, 1, one, 4, &position);
    heed_graph_cache_append(graph, "append", cache, x, position, HEED_NO_TENSOR, &cache);
    heed_graph_unary(graph, HEED_OP_RELU, "bend", cache, &y);
    heed_graph_output(graph, "y", y);
    assert_ok(heed_graph_freeze(graph));
    return graph;
}

static void users_of_a_state_stay_together(void **state) {
    (void)state;
    fake_a.runs[HEED_OP_CACHE_APPEND] = false; /* would run the relu, but not the append */
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_graph *graph = state_graph();
    struct heed_program *program = compile(executor, graph);
    const struct placements placements = placements_of(program);
    assert_string_equal(placements.text, "append:fake_b bend:fake_b");
    assert_string_equal(
        placements.reasons,
        "[fake_a: no cache_append here][fake_a: does not run every node of the same state]");
    heed_program_release(program);

    fake_b.runs[HEED_OP_RELU] = false;
    assert_fails(
        heed_program_compile(context, executor, graph, &program), HEED_ERROR_UNSUPPORTED,
        "'append' (cache_append): fake_a: no cache_append here; fake_b: does not run every "
        "node of the same state");
    heed_graph_release(graph);
    heed_executor_release(executor);
}

/* Two chains that take turns in the list of nodes still make one part per backend. */
static void independent_branches_do_not_cut(void **state) {
    (void)state;
    fake_a.runs[HEED_OP_TANH] = false;
    struct heed_graph *graph = NULL;
    heed_tensor x, left, right, y;
    assert_ok(heed_graph_create(context, "branches", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, small_dims, 0, &x);
    heed_graph_unary(graph, HEED_OP_RELU, "l1", x, &left);
    heed_graph_unary(graph, HEED_OP_TANH, "r1", x, &right);
    heed_graph_unary(graph, HEED_OP_RELU, "l2", left, &left);
    heed_graph_unary(graph, HEED_OP_TANH, "r2", right, &right);
    heed_graph_binary(graph, HEED_OP_ADD, "join", left, right, &y);
    heed_graph_output(graph, "y", y);
    assert_ok(heed_graph_freeze(graph));
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_program *program = compile(executor, graph);
    const struct placements placements = placements_of(program);
    assert_string_equal(placements.text, "l1:fake_a l2:fake_a r1:fake_b r2:fake_b join:fake_a");
    assert_int_equal(placements.parts, 3);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
}

static void refused_parts_go_elsewhere(void **state) {
    (void)state;
    fake_a.compile_status = HEED_ERROR_DEVICE_MEMORY;
    fake_a.compile_fails_on = HEED_OP_RELU;
    fake_a.runs[HEED_OP_MATMUL] = false;
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    const struct placements placements = placements_of(program);
    assert_string_equal(placements.text, "product:fake_b sum:fake_b bend:fake_b lift:fake_b");
    assert_non_null(strstr(placements.reasons, "[fake_a: compile told to fail]"));
    assert_int_equal(logged.lines, 1);
    assert_logged("on backend 'fake_a': compile told to fail; trying without it");
    check_small(program);
    heed_program_release(program);

    fake_b.compile_status = HEED_ERROR_DEVICE_MEMORY;
    assert_fails(heed_program_compile(context, executor, graph, &program), HEED_ERROR_UNSUPPORTED,
                 "fake_b: compile told to fail");
    heed_graph_release(graph);
    heed_executor_release(executor);
}

static void failing_query_is_logged(void **state) {
    (void)state;
    fake_a.query_status = HEED_ERROR_DEVICE_LOST;
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    assert_non_null(strstr(placements_of(program).reasons, "[fake_a: query told to fail]"));
    assert_int_equal(logged.lines, 1);
    assert_logged("backend 'fake_a' cannot say what it runs of graph 'small': query told to fail");
    check_small(program);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        exec_test(first_backend_takes_all),
        exec_test(fallback_is_visible),
        exec_test(nobody_runs_it),
        exec_test(lowering_is_offered_again),
        exec_test(contiguity_inserts_a_copy),
        exec_test(copies_of_copies_are_refused),
        exec_test(users_of_a_state_stay_together),
        exec_test(independent_branches_do_not_cut),
        exec_test(refused_parts_go_elsewhere),
        exec_test(failing_query_is_logged),
    };
    return cmocka_run_group_tests_name("partition", tests, NULL, NULL);
}
