/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow runs: what is drawn, counted, dropped and declined; that wrong results are seen, and who
 * is blamed for them. */
#include "shadow_test.h"

#include <math.h>

/* y = softmax(x w) over x [8, 64], w [64, 8]. */
enum { M = 8, K = 64, N = 8 };

static struct heed_graph *product_graph(bool softmax) {
    static float weight[K * N];
    struct heed_graph *graph = NULL;
    heed_tensor x, y;
    for (int i = 0; i < K * N; i++)
        weight[i] = sinf((float)(i * i)) / 4.0f;
    assert_ok(heed_graph_create(context, "product", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, (const int64_t[]){M, K}, 0, &x);
    const heed_tensor w = constant(graph, "w", 2, (const int64_t[]){K, N}, weight);
    const struct heed_matmul_attrs attrs = {.struct_size = (uint32_t)sizeof attrs};
    heed_graph_matmul(graph, "xw", x, w, &attrs, &y);
    if (softmax)
        heed_graph_unary(graph, HEED_OP_SOFTMAX, "shares", y, &y);
    heed_graph_output(graph, "y", y);
    assert_ok(heed_graph_freeze(graph));
    return graph;
}

static void fill_x(struct heed_instance *instance) {
    float *x = heed_instance_input(instance, "x", NULL);
    for (int i = 0; i < M * K; i++)
        x[i] = cosf((float)(i * i));
}

/* Runs the product so many times under the shadow. */
static void run_product(const char *backends, struct heed_shadow *shadow, bool softmax, int runs) {
    struct heed_program *program = program_of(backends, product_graph(softmax));
    struct heed_instance *instance = NULL;
    assert_ok(heed_instance_create(context, program, &instance));
    heed_instance_set_shadow(instance, shadow);
    for (int i = 0; i < runs; i++) {
        fill_x(instance);
        assert_ok(heed_instance_run(context, instance));
    }
    heed_instance_destroy(instance);
    heed_program_release(program);
}

/* ---- counting ---- */

static void test_agrees(void **state) {
    (void)state;
    struct heed_shadow *shadow = open_shadow("fake_b", 1);
    struct heed_program *program = program_of("fake_a,only", small_graph());
    struct heed_instance *instance = NULL;
    assert_ok(heed_instance_create(context, program, &instance));
    heed_instance_set_shadow(instance, shadow);
    for (int i = 0; i < 5; i++)
        check_small_run(instance);
    const struct heed_shadow_statistics seen = statistics_of(shadow);
    assert_int_equal(seen.seen, 5);
    assert_int_equal(seen.checked, 5);
    assert_int_equal(seen.disagreed, 0);
    assert_int_equal(seen.nodes, 5 * 4);
    assert_int_equal(seen.fallback_nodes, 0);
    assert_true(seen.worst == 0); /* both compute by the references */
    assert_string_equal(seen.worst_tensor, "y");
    assert_string_equal(seen.reason, "");
    assert_true(seen.busy_ns > 0);
    assert_int_equal(atomic_load(&fake_b.compiles), 1);
    struct heed_shadow_finding finding = {.struct_size = sizeof finding};
    assert_int_equal(heed_shadow_finding(shadow, 0, &finding), HEED_ERROR_NOT_FOUND);
    heed_instance_set_shadow(instance, NULL);
    check_small_run(instance);
    assert_int_equal(statistics_of(shadow).seen, 5);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_shadow_destroy(shadow);
}

/* Which of 64 runs are drawn, as bits. */
static uint64_t drawn(double rate, uint64_t seed) {
    const struct heed_shadow_options options = {
        .struct_size = sizeof options, .backend = "fake_b", .rate = rate, .seed = seed};
    struct heed_shadow *shadow = NULL;
    struct heed_instance *instance = NULL;
    uint64_t bits = 0, before = 0;
    assert_ok(heed_shadow_create(context, &options, &shadow));
    struct heed_program *program = program_of("fake_a,only", small_graph());
    assert_ok(heed_instance_create(context, program, &instance));
    heed_instance_set_shadow(instance, shadow);
    for (int i = 0; i < 64; i++) {
        check_small_run(instance);
        const struct heed_shadow_statistics now = statistics_of(shadow);
        bits |= (now.drawn - before) << i;
        before = now.drawn;
    }
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_shadow_destroy(shadow);
    return bits;
}

static int count_bits(uint64_t bits) {
    int count = 0;
    for (; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

static void test_draw(void **state) {
    (void)state;
    assert_true(drawn(0, 1) == 0);
    assert_true(drawn(1, 1) == UINT64_MAX);
    const uint64_t half = drawn(0.5, 1);
    assert_true(drawn(0.5, 1) == half);
    assert_true(drawn(0.5, 2) != half);
    assert_true((drawn(0.25, 1) & ~half) == 0); /* a smaller share is part of a larger one */
    assert_in_range(count_bits(half), 16, 48);  /* 4 standard deviations */
}

static void test_declined(void **state) {
    (void)state;
    fake_runs_only(&fake_b, (const enum heed_op[]){HEED_OP_CONCAT, HEED_OP_NONE});
    struct heed_shadow *shadow = open_shadow("fake_b", 1);
    run_product("fake_a,only", shadow, true, 2);
    struct heed_shadow_statistics seen = statistics_of(shadow);
    assert_int_equal(seen.declined, 2);
    assert_int_equal(seen.checked, 0);
    assert_true(seen.reason[0] != '\0');
    heed_shadow_destroy(shadow);

    fake_runs_only(&fake_b, (const enum heed_op[]){HEED_OP_SOFTMAX, HEED_OP_NONE});
    shadow = open_shadow("fake_b", 1);
    run_product("fake_a,only", shadow, true, 2);
    seen = statistics_of(shadow);
    assert_int_equal(seen.checked, 2);
    assert_int_equal(seen.nodes, 4);
    assert_int_equal(seen.fallback_nodes, 2);
    assert_int_equal(seen.disagreed, 0);
    heed_shadow_destroy(shadow);
}

static void test_failed(void **state) {
    (void)state;
    struct heed_shadow *shadow = open_shadow("fake_b", 1);
    fake_b.run_status = HEED_ERROR_INTERNAL;
    fake_b.runs_until_then = 1;
    run_product("fake_a,only", shadow, false, 3);
    struct heed_shadow_statistics seen = statistics_of(shadow);
    assert_int_equal(seen.checked, 1);
    assert_int_equal(seen.failed, 2);
    assert_non_null(strstr(seen.reason, "fake_b"));
    heed_shadow_destroy(shadow);

    fake_reset(context); /* the backend of the program itself fails: nothing is to be compared */
    shadow = open_shadow("fake_b", 1);
    struct heed_program *program = program_of("fake_a,only", small_graph());
    struct heed_instance *instance = NULL;
    assert_ok(heed_instance_create(context, program, &instance));
    heed_instance_set_shadow(instance, shadow);
    fake_a.run_status = HEED_ERROR_INTERNAL;
    assert_int_equal(heed_instance_run(context, instance), HEED_ERROR_INTERNAL);
    seen = statistics_of(shadow);
    assert_int_equal(seen.abandoned, 1);
    assert_int_equal(seen.checked, 0);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_shadow_destroy(shadow);
}

/* ---- the queue ---- */

/* Holds the background thread up at its first finding until it is let go. */
struct gate {
    struct heedi_mutex *mutex;
    struct heedi_condition *changed;
    bool reached, open;
};

static void wait_at(void *user, const struct heed_shadow_finding *finding) {
    struct gate *gate = user;
    (void)finding;
    heedi_os_lock(gate->mutex);
    gate->reached = true;
    heedi_os_wake_all(gate->changed);
    while (!gate->open)
        heedi_os_wait(gate->changed, gate->mutex);
    heedi_os_unlock(gate->mutex);
}

static void wait_until_reached(struct gate *gate) {
    heedi_os_lock(gate->mutex);
    while (!gate->reached)
        heedi_os_wait(gate->changed, gate->mutex);
    heedi_os_unlock(gate->mutex);
}

static void open_gate(struct gate *gate) {
    heedi_os_lock(gate->mutex);
    gate->open = true;
    heedi_os_wake_all(gate->changed);
    heedi_os_unlock(gate->mutex);
}

static void let_go_later(void *arg) {
    heedi_os_yield();
    open_gate(arg);
}

static void test_queue(void **state) {
    (void)state;
    struct gate gate = {heedi_os_mutex_create(&context->env),
                        heedi_os_condition_create(&context->env), false, false};
    const struct heed_shadow_options options = {.struct_size = sizeof options,
                                                .backend = FAULTY("tile"),
                                                .plugin_path = HEED_TEST_PLUGINS,
                                                .rate = 1,
                                                .queue_items = 3,
                                                .finding = wait_at,
                                                .user = &gate};
    struct heed_shadow *shadow = NULL;
    assert_ok(heed_shadow_create(context, &options, &shadow));
    run_product("scalar", shadow, false, 1);
    wait_until_reached(&gate);
    run_product("scalar", shadow, false, 5); /* two find room beside the one being looked at */
    struct heed_shadow_statistics seen = {.struct_size = sizeof seen};
    assert_int_equal(heed_shadow_statistics(shadow, &seen), HEED_OK);
    assert_int_equal(seen.drawn, 6);
    assert_int_equal(seen.dropped, 3);
    assert_int_equal(seen.waiting, 3);
    open_gate(&gate);
    seen = statistics_of(shadow);
    assert_int_equal(seen.checked, 3);
    assert_int_equal(seen.disagreed, 3);
    heed_shadow_destroy(shadow);

    /* what waits when a shadow is destroyed is not looked at */
    gate.reached = gate.open = false;
    assert_ok(heed_shadow_create(context, &options, &shadow));
    run_product("scalar", shadow, false, 3);
    wait_until_reached(&gate);
    struct heedi_thread *later = heedi_os_thread_start(&context->env, let_go_later, &gate, "later");
    assert_non_null(later);
    heed_shadow_destroy(shadow);
    heedi_os_thread_join(&context->env, later);
    heedi_os_condition_destroy(&context->env, gate.changed);
    heedi_os_mutex_destroy(&context->env, gate.mutex);
}

static void test_queue_bytes(void **state) {
    (void)state;
    const struct heed_shadow_options options = {.struct_size = sizeof options,
                                                .backend = "fake_b",
                                                .rate = 1,
                                                .queue_bytes = (M * K + M * N) * 4 - 1};
    struct heed_shadow *shadow = NULL;
    assert_ok(heed_shadow_create(context, &options, &shadow));
    run_product("fake_a,only", shadow, false, 2);
    const struct heed_shadow_statistics seen = statistics_of(shadow);
    assert_int_equal(seen.drawn, 2);
    assert_int_equal(seen.dropped, 2);
    heed_shadow_destroy(shadow);
}

/* ---- threads ---- */

struct runner {
    struct heed_context *context;
    struct heed_instance *instance;
    int runs, succeeded;
};

static void run_often(void *arg) {
    struct runner *runner = arg;
    for (int i = 0; i < runner->runs; i++)
        runner->succeeded += heed_instance_run(runner->context, runner->instance) == HEED_OK;
}

/* Instances of two programs on two threads, one shadow. */
static void test_threads(void **state) {
    (void)state;
    enum { THREADS = 2, RUNS = 60 };
    struct heed_shadow *shadow = open_shadow("fake_b", 0.5);
    struct heed_program *programs[THREADS];
    struct runner runners[THREADS];
    struct heedi_thread *threads[THREADS];
    for (int t = 0; t < THREADS; t++) {
        programs[t] = program_of("fake_a,only", product_graph(t > 0));
        runners[t] = (struct runner){test_context(&memory, NULL, HEED_LOG_ERROR), NULL, RUNS, 0};
        assert_non_null(runners[t].context);
        assert_ok(heed_instance_create(context, programs[t], &runners[t].instance));
        heed_instance_set_shadow(runners[t].instance, shadow);
        fill_x(runners[t].instance);
    }
    for (int t = 0; t < THREADS; t++)
        threads[t] = heedi_os_thread_start(&context->env, run_often, &runners[t], "runner");
    for (int t = 0; t < THREADS; t++)
        heedi_os_thread_join(&context->env, threads[t]);
    const struct heed_shadow_statistics seen = statistics_of(shadow);
    assert_int_equal(seen.seen, THREADS * RUNS);
    assert_int_equal(seen.drawn, seen.checked + seen.dropped);
    assert_in_range(seen.checked, 1, THREADS * RUNS - 1);
    assert_int_equal(seen.disagreed, 0);
    for (int t = 0; t < THREADS; t++) {
        assert_int_equal(runners[t].succeeded, RUNS);
        heed_instance_destroy(runners[t].instance);
        heed_program_release(programs[t]);
        heed_context_destroy(runners[t].context);
    }
    heed_shadow_destroy(shadow);
}

/* ---- faults ---- */

static void test_faulty_shadow(void **state) {
    (void)state;
    static const char *const faults[] = {FAULTY("tile"), FAULTY("f16"), FAULTY("tf32")};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct heed_shadow *shadow = open_shadow(faults[i], 1);
        run_product("scalar", shadow, true, 1);
        const struct heed_shadow_statistics seen = statistics_of(shadow);
        if (seen.disagreed != 1)
            fail_msg("%s: %d compared, %g of what is tolerated; %s", faults[i], (int)seen.checked,
                     seen.worst, seen.reason);
        assert_true(seen.worst > 1);
        const struct heed_shadow_finding finding = finding_of(shadow, 0);
        assert_string_equal(finding.graph, "product");
        assert_string_equal(finding.primary, "scalar");
        assert_string_equal(finding.shadow, "faulty");
        assert_string_equal(finding.first, "xw");
        assert_string_equal(finding.tensor, "y");
        assert_string_equal(finding.producer, "shares");
        assert_int_equal(finding.nodes, 2);
        assert_int_equal(finding.rank, 2);
        assert_true(finding.fraction > 1);
        assert_true(fabs(finding.primary_value - finding.shadow_value) > finding.bound);
        assert_int_equal(finding.blame, HEED_SHADOW_BLAME_SHADOW);
        assert_int_equal(finding.op, HEED_OP_MATMUL);
        assert_string_equal(finding.node, "xw");
        assert_int_equal(finding.alone.fault, HEED_CHECK_VALUE);
        assert_true(finding.alone.hard > 1);
        heed_shadow_destroy(shadow);
    }
}

static void test_faulty_primary(void **state) {
    (void)state;
    struct heed_shadow *shadow = open_shadow("scalar", 1);
    run_product(FAULTY("tile") ",scalar", shadow, true, 2);
    const struct heed_shadow_statistics seen = statistics_of(shadow);
    assert_int_equal(seen.seen, 4); /* the softmax is a part of its own */
    assert_int_equal(seen.disagreed, 2);
    const struct heed_shadow_finding finding = finding_of(shadow, 1);
    assert_int_equal(finding.number, 2);
    assert_int_equal(finding.part, 0);
    assert_int_equal(finding.blame, HEED_SHADOW_BLAME_PRIMARY);
    assert_string_equal(finding.node, "xw");
    assert_true(finding.index[0] >= 4 && finding.index[1] >= 4); /* the tile */
    heed_shadow_destroy(shadow);
}

/* One run of 20 loses a product; the same input again does not. */
static void test_unsteady(void **state) {
    (void)state;
    struct heed_shadow *shadow = open_shadow("scalar", 1);
    run_product(FAULTY("race") ",scalar", shadow, false, 40);
    const struct heed_shadow_statistics seen = statistics_of(shadow);
    assert_int_equal(seen.checked, 40);
    assert_int_equal(seen.disagreed, 2);
    assert_int_equal(finding_of(shadow, 0).blame, HEED_SHADOW_BLAME_UNSTEADY);
    assert_int_equal(finding_of(shadow, 1).op, 0);
    heed_shadow_destroy(shadow);
}

static void test_max_findings(void **state) {
    (void)state;
    const struct heed_shadow_options options = {.struct_size = sizeof options,
                                                .backend = FAULTY("tile"),
                                                .plugin_path = HEED_TEST_PLUGINS,
                                                .rate = 1,
                                                .max_findings = 1};
    struct heed_shadow *shadow = NULL;
    struct heed_shadow_finding finding = {.struct_size = sizeof finding};
    assert_ok(heed_shadow_create(context, &options, &shadow));
    run_product("scalar", shadow, false, 3);
    assert_int_equal(statistics_of(shadow).disagreed, 3);
    assert_int_equal(heed_shadow_finding(shadow, 0, &finding), HEED_OK);
    assert_int_equal(heed_shadow_finding(shadow, 1, &finding), HEED_ERROR_NOT_FOUND);
    heed_shadow_destroy(shadow);
}

/* ---- refusals ---- */

static void test_options(void **state) {
    (void)state;
    struct heed_shadow_options options = {.struct_size = sizeof options, .backend = "fake_b"};
    struct heed_shadow *shadow = NULL;
    static const double rates[] = {-0.01, 1.01, NAN};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        options.rate = rates[i];
        assert_fails(heed_shadow_create(context, &options, &shadow), HEED_ERROR_INVALID_ARGUMENT,
                     "the rate must lie between 0 and 1");
    }
    options.rate = 1;
    options.backend = NULL;
    assert_fails(heed_shadow_create(context, &options, &shadow), HEED_ERROR_INVALID_ARGUMENT,
                 "no backend");
    options.backend = "fake_a,fake_b";
    assert_fails(heed_shadow_create(context, &options, &shadow), HEED_ERROR_INVALID_ARGUMENT,
                 "does not name one backend");
    options.backend = "no_such_backend";
    assert_fails(heed_shadow_create(context, &options, &shadow), HEED_ERROR_NOT_FOUND,
                 "no_such_backend");
    options.backend = "fake_b";
    options.max_findings = UINT32_MAX;
    assert_fails(heed_shadow_create(context, &options, &shadow), HEED_ERROR_LIMIT, "findings");
    assert_null(shadow);
    assert_int_equal(heed_shadow_create(context, NULL, &shadow), HEED_ERROR_INVALID_ARGUMENT);
    assert_int_equal(heed_shadow_statistics(NULL, NULL), HEED_ERROR_INVALID_ARGUMENT);
    assert_int_equal(heed_shadow_finding(NULL, 0, NULL), HEED_ERROR_INVALID_ARGUMENT);
    assert_string_equal(heed_shadow_blame_text(HEED_SHADOW_BLAME_NOT_SOUGHT), "not looked into");
    assert_string_equal(heed_shadow_blame_text((enum heed_shadow_blame)99), "?");
    heed_shadow_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        exec_test(test_agrees),   exec_test(test_draw),          exec_test(test_declined),
        exec_test(test_failed),   exec_test(test_queue),         exec_test(test_queue_bytes),
        exec_test(test_threads),  exec_test(test_faulty_shadow), exec_test(test_faulty_primary),
        exec_test(test_unsteady), exec_test(test_max_findings),  exec_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
