/* SPDX-License-Identifier: Apache-2.0 */
/* Instances and states: binding, sharing, running, failing. */
#include "exec_test.h"

/* Appends x at pos to the state "cache" [1, 4, 2], and reads it whole. */
static struct heed_graph *append_graph(const char *name, enum heed_op reader) {
    static const int64_t state_dims[3] = {1, 4, 2}, x_dims[3] = {1, 1, 2}, one[1] = {1};
    struct heed_graph *graph = NULL;
    heed_tensor cache, x, position, y;
    assert_ok(heed_graph_create(context, name, &graph));
    heed_graph_state(graph, "cache", HEED_F32, 3, state_dims, &cache);
    heed_graph_input(graph, "x", HEED_F32, 3, x_dims, 0, &x);
    heed_graph_input(graph, "pos", HEED_I32, 1, one, 4, &position);
    heed_graph_cache_append(graph, "append", cache, x, position, HEED_NO_TENSOR, &cache);
    heed_graph_unary(graph, reader, "read", cache, &y);
    heed_graph_output(graph, "y", y);
    assert_ok(heed_graph_freeze(graph));
    return graph;
}

static void append(struct heed_instance *instance, int32_t position, float first, float second) {
    const float x[2] = {first, second};
    memcpy(heed_instance_input(instance, "x", NULL), x, sizeof x);
    memcpy(heed_instance_input(instance, "pos", NULL), &position, sizeof position);
    assert_ok(heed_instance_run(context, instance));
}

/* Two programs update one state in place, in turns. */
static void programs_share_a_state(void **unused) {
    (void)unused;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_graph *graphs[2] = {append_graph("plain", HEED_OP_COPY),
                                    append_graph("bent", HEED_OP_RELU)};
    struct heed_program *programs[2];
    struct heed_instance *instances[2];
    struct heed_state *state = NULL;
    for (int i = 0; i < 2; i++) {
        programs[i] = compile(executor, graphs[i]);
        assert_ok(heed_instance_create(context, programs[i], &instances[i]));
        assert_fails(heed_instance_run(context, instances[i]), HEED_ERROR_INVALID_ARGUMENT,
                     "state 'cache' is not bound");
    }
    assert_ok(heed_state_create(context, programs[0], "cache", &state));
    for (int i = 0; i < 2; i++)
        assert_ok(heed_instance_bind_state(context, instances[i], "cache", state));
    append(instances[0], 0, 1, -2);
    append(instances[1], 2, 3, -4);
    append(instances[0], 1, 5, 6);
    append(instances[1], 4, 99, 99); /* beyond the capacity: dropped */
    static const float expected[8] = {1, -2, 5, 6, 3, -4, 0, 0};
    static const float bent[8] = {1, 0, 5, 6, 3, 0, 0, 0};
    float values[8];
    assert_ok(heed_state_read(context, state, 0, values, sizeof values));
    assert_memory_equal(values, expected, sizeof expected);
    assert_memory_equal(heed_instance_output(instances[1], "y", NULL), bent, sizeof bent);

    /* bytes go in and out; a new run sees them */
    const float seven = 7;
    assert_ok(heed_state_write(context, state, 7 * sizeof seven, &seven, sizeof seven));
    append(instances[0], 4, 0, 0);
    const float *y = heed_instance_output(instances[0], "y", NULL);
    assert_true(y[7] == 7 && y[4] == 3);
    for (int i = 0; i < 2; i++) {
        heed_instance_destroy(instances[i]);
        heed_program_release(programs[i]);
        heed_graph_release(graphs[i]);
    }
    heed_executor_release(executor);
    assert_ok(heed_state_read(context, state, 28, values, 4)); /* keeps what it needs alive */
    assert_true(values[0] == 7);
    heed_state_destroy(state);
}

static void states_are_checked(void **unused) {
    (void)unused;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_executor *other = open_executor("fake_a,only");
    struct heed_graph *graph = append_graph("plain", HEED_OP_COPY);
    struct heed_program *program = compile(executor, graph), *foreign = compile(other, graph);
    struct heed_instance *instance = NULL;
    struct heed_state *state = NULL, *stranger = NULL;
    assert_ok(heed_instance_create(context, program, &instance));
    assert_fails(heed_state_create(context, program, "missing", &state), HEED_ERROR_NOT_FOUND,
                 "no state 'missing'");
    assert_null(state);
    assert_ok(heed_state_create(context, program, "cache", &state));
    assert_ok(heed_state_create(context, foreign, "cache", &stranger));
    assert_fails(heed_instance_bind_state(context, instance, "missing", state),
                 HEED_ERROR_NOT_FOUND, "no state 'missing'");
    assert_fails(heed_instance_bind_state(context, instance, "cache", stranger),
                 HEED_ERROR_INVALID_ARGUMENT, "made on 'fake_a' of another");
    struct heed_tensor_desc desc;
    heed_state_desc(state, &desc);
    assert_int_equal(heed_desc_elems(&desc), 8);
    float value = 0;
    assert_fails(heed_state_read(context, state, 29, &value, 4), HEED_ERROR_INVALID_ARGUMENT,
                 "outside the state of 32 bytes");
    assert_fails(heed_state_write(context, state, SIZE_MAX, &value, 4), HEED_ERROR_INVALID_ARGUMENT,
                 "outside the state");
    assert_ok(heed_state_write(context, state, 32, &value, 0));
    state->desc.dims[1] = 5; /* as if it had been made for another graph */
    assert_fails(heed_instance_bind_state(context, instance, "cache", state), HEED_ERROR_SHAPE,
                 "expected f32 [1, 4, 2], but the state is f32 [1, 5, 2]");
    heed_state_destroy(state);
    heed_state_destroy(stranger);
    heed_state_destroy(NULL);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_program_release(foreign);
    heed_graph_release(graph);
    heed_executor_release(executor);
    heed_executor_release(other);
}

static void names_are_looked_up(void **unused) {
    (void)unused;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    struct heed_instance *instance = NULL;
    assert_ok(heed_instance_create(context, program, &instance));
    size_t bytes = 1;
    assert_null(heed_instance_input(instance, "y", &bytes)); /* an output */
    assert_int_equal(bytes, 0);
    assert_null(heed_instance_output(instance, "x", NULL));
    assert_null(heed_instance_input(instance, NULL, NULL));
    heed_instance_destroy(instance);
    heed_instance_destroy(NULL);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
}

/* An instance alone keeps program, executor, devices and weights alive. */
static void children_keep_their_parents(void **unused) {
    (void)unused;
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    struct heed_instance *instance = NULL;
    assert_ok(heed_instance_create(context, program, &instance));
    heed_executor_release(executor);
    heed_program_release(program);
    heed_graph_release(graph);
    check_small_run(instance);
    heed_instance_destroy(instance);
}

static void nothing_is_allocated_while_running(void **unused) {
    (void)unused;
    fake_a.runs[HEED_OP_RELU] = false;
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    struct heed_instance *instance = NULL;
    assert_ok(heed_instance_create(context, program, &instance));
    const long calls = atomic_load(&memory.calls);
    for (int i = 0; i < 5; i++)
        check_small_run(instance);
    assert_int_equal(atomic_load(&memory.calls), calls);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
}

static void failures_name_the_part(void **unused) {
    (void)unused;
    fake_a.runs[HEED_OP_RELU] = false;
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    struct heed_instance *instance = NULL;
    fake_b.instance_status = HEED_ERROR_DEVICE_MEMORY;
    assert_fails(heed_instance_create(context, program, &instance), HEED_ERROR_DEVICE_MEMORY,
                 "making an instance of part 1 on backend 'fake_b': instance told to fail");
    assert_null(instance);
    fake_b.instance_status = HEED_OK;
    assert_ok(heed_instance_create(context, program, &instance));
    fake_b.run_status = HEED_ERROR_DEVICE_LOST;
    assert_fails(heed_instance_run(context, instance), HEED_ERROR_DEVICE_LOST,
                 "graph 'small', running part 1 on backend 'fake_b': run told to fail");
    fake_b.run_status = HEED_OK;
    check_small_run(instance);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
}

static void memory_is_reported(void **unused) {
    (void)unused;
    fake_a.packs = true;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    struct heed_memory report = {.struct_size = (uint32_t)sizeof report};
    assert_int_equal(heed_program_memory(program, &report), HEED_OK);
    assert_int_equal(report.parts, 1);
    /* product, sum and bend of 24 bytes each: two are alive at a time; rounded up to 64 */
    assert_int_equal(report.arena_bytes, 64 + 24);
    assert_int_equal(report.unshared_bytes, 3 * 64);
    assert_int_equal(report.boundary_bytes, 2 * 64);
    assert_int_equal(report.prepared_bytes, sizeof small_weight);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
}

/* Tensors without elements run through like others. */
static void empty_tensors(void **unused) {
    (void)unused;
    static const int64_t dims[2] = {0, 3};
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_graph *graph = NULL;
    heed_tensor x, y;
    assert_ok(heed_graph_create(context, "empty", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, dims, 0, &x);
    heed_graph_unary(graph, HEED_OP_RELU, NULL, x, &y);
    heed_graph_unary(graph, HEED_OP_TANH, NULL, y, &y);
    heed_graph_output(graph, "y", y);
    assert_ok(heed_graph_freeze(graph));
    struct heed_program *program = compile(executor, graph);
    struct heed_instance *instance = NULL;
    assert_ok(heed_instance_create(context, program, &instance));
    assert_ok(heed_instance_run(context, instance));
    size_t bytes = 1;
    assert_non_null(heed_instance_output(instance, "y", &bytes));
    assert_int_equal(bytes, 0);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
}

/* A graph of which nothing is left can be compiled and run. */
static void empty_graph(void **unused) {
    (void)unused;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_graph *graph = NULL;
    heed_tensor x;
    assert_ok(heed_graph_create(context, "void", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, small_dims, 0, &x);
    assert_ok(heed_graph_freeze(graph));
    struct heed_program *program = compile(executor, graph);
    struct heed_instance *instance = NULL;
    assert_ok(heed_instance_create(context, program, &instance));
    size_t bytes = 0;
    assert_non_null(heed_instance_input(instance, "x", &bytes));
    assert_int_equal(bytes, 24);
    assert_ok(heed_instance_run(context, instance));
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
}

static void null_arguments_are_refused(void **unused) {
    (void)unused;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_state *state = NULL;
    assert_fails(heed_program_compile(context, executor, NULL, &program),
                 HEED_ERROR_INVALID_ARGUMENT, "graph must not be NULL");
    assert_fails(heed_program_compile(context, executor, NULL, NULL), HEED_ERROR_INVALID_ARGUMENT,
                 "program must not be NULL");
    assert_fails(heed_instance_create(context, NULL, &instance), HEED_ERROR_INVALID_ARGUMENT,
                 "program must not be NULL");
    assert_fails(heed_state_create(context, NULL, "cache", &state), HEED_ERROR_INVALID_ARGUMENT,
                 "must not be NULL");
    assert_fails(heed_executor_cached_program(context, executor, NULL, NULL, NULL, &program),
                 HEED_ERROR_INVALID_ARGUMENT, "must not be NULL");
    struct heed_graph *unfrozen = NULL;
    assert_ok(heed_graph_create(context, "young", &unfrozen));
    assert_fails(heed_program_compile(context, executor, unfrozen, &program),
                 HEED_ERROR_INVALID_ARGUMENT, "graph 'young' must be frozen");
    heed_graph_release(unfrozen);
    heed_executor_release(executor);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        exec_test(programs_share_a_state),
        exec_test(states_are_checked),
        exec_test(names_are_looked_up),
        exec_test(children_keep_their_parents),
        exec_test(nothing_is_allocated_while_running),
        exec_test(failures_name_the_part),
        exec_test(memory_is_reported),
        exec_test(empty_tensors),
        exec_test(empty_graph),
        exec_test(null_arguments_are_refused),
    };
    return cmocka_run_group_tests_name("instance", tests, NULL, NULL);
}
