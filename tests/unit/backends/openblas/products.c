/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenBLAS backend beside others: which products it takes and why it declines the rest, several
 * threads at once, allocations that fail. That its results are right is for tests/check. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "runtime/base/context.h"
#include "runtime/base/os.h"
#include "tests/support/memory.h"

enum { M = 600, K = 70, N = 600, THREADS = 4 };

static struct test_memory memory;
static struct test_log logged;
static struct heed_context *context;
static float zeros[64 * 64]; /* the weight of all graphs, in whatever type */

static void ok(enum heed_status status) {
    if (status != HEED_OK)
        fail_msg("%s: %s", heed_status_name(status), heed_last_error(context));
}

static enum heed_status open_list(struct heed_context *own, const char *backends,
                                  struct heed_executor **executor) {
    const struct heed_executor_options options = {.struct_size = (uint32_t)sizeof options,
                                                  .backends = backends,
                                                  .plugin_path = HEED_TEST_PLUGINS};
    return heed_executor_create(own, &options, executor);
}

static int setup(void **state) {
    static bool told;
    struct heed_executor *executor = NULL;
    (void)state;
    test_memory_init(&memory);
    test_log_clear(&logged);
    context = test_context(&memory, &logged, HEED_LOG_WARNING);
    if (context == NULL)
        return 1;
    const bool there = open_list(context, "openblas,only", &executor) == HEED_OK;
    heed_executor_release(executor);
    if (!there && !told)
        (void)printf("SKIP: %s\n", heed_last_error(context));
    told = told || !there;
    *state = there ? &memory : NULL;
    test_log_clear(&logged);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    heed_context_destroy(context);
    return atomic_load(&memory.live) != 0;
}

/* ---- claims ---- */

/* y[m, n] = a[m, k] b[k, n]. */
struct shape {
    int64_t m, k, n;
    enum heed_dtype a, b;
    bool weight;
    enum heed_activation activation;
};

static struct heed_graph *product(const struct shape *shape) {
    const int64_t a_dims[] = {shape->m, shape->k}, b_dims[] = {shape->k, shape->n};
    const struct heed_tensor_desc desc = heed_desc(shape->b, 2, b_dims);
    struct heed_graph *graph = NULL;
    heed_tensor a, b, y;
    ok(heed_graph_create(context, "product", &graph));
    heed_graph_input(graph, "a", shape->a, 2, a_dims, 0, &a);
    if (shape->weight) {
        struct heed_weight *weight = NULL;
        ok(heed_weight_create(context, "w", &desc, zeros, NULL, NULL, &weight));
        heed_graph_constant(graph, weight, &b);
        heed_weight_release(weight);
    } else {
        heed_graph_input(graph, "b", shape->b, 2, b_dims, 0, &b);
    }
    const struct heed_matmul_attrs attrs = {.struct_size = (uint32_t)sizeof attrs,
                                            .activation = (uint32_t)shape->activation};
    heed_graph_matmul(graph, "product", a, b, &attrs, &y);
    heed_graph_output(graph, "sums", y);
    heed_graph_unary(graph, HEED_OP_SOFTMAX, "softmax", y, &y);
    heed_graph_output(graph, "y", y);
    ok(heed_graph_freeze(graph));
    return graph;
}

struct placed {
    char product[32], softmax[32], reason[256];
};

static void note(void *user, const struct heed_placement *placement) {
    struct placed *placed = user;
    if (strcmp(placement->node, "softmax") == 0) {
        (void)snprintf(placed->softmax, sizeof placed->softmax, "%s", placement->backend);
        return;
    }
    (void)snprintf(placed->product, sizeof placed->product, "%s", placement->backend);
    (void)snprintf(placed->reason, sizeof placed->reason, "%s", placement->reason);
}

static struct placed place(const char *backends, const struct shape *shape) {
    struct placed placed = {.product = ""};
    struct heed_graph *graph = product(shape);
    struct heed_executor *executor = NULL;
    struct heed_program *program = NULL;
    ok(open_list(context, backends, &executor));
    ok(heed_program_compile(context, executor, graph, &program));
    heed_program_placements(program, note, &placed);
    heed_program_release(program);
    heed_executor_release(executor);
    heed_graph_release(graph);
    assert_string_equal(placed.softmax, "scalar");
    return placed;
}

static void only_what_gains_is_claimed(void **state) {
    static const struct {
        struct shape shape;
        const char *reason; /* NULL: it is claimed */
    } cases[] = {
        {{8, 64, 64, HEED_F32, HEED_F32, true, HEED_ACTIVATION_NONE}, NULL},
        {{7, 64, 64, HEED_F32, HEED_F32, true, HEED_ACTIVATION_NONE}, "fewer than 8 rows"},
        {{2, 64, 64, HEED_F32, HEED_F32, true, HEED_ACTIVATION_NONE}, "fewer than 8 rows"},
        {{2, 64, 64, HEED_F32, HEED_F32, false, HEED_ACTIVATION_GELU_ERF}, NULL},
        {{1, 64, 64, HEED_F32, HEED_F32, true, HEED_ACTIVATION_NONE}, "fewer than 8 rows"},
        {{1, 64, 64, HEED_F32, HEED_F32, false, HEED_ACTIVATION_SILU}, NULL},
    };
    if (*state == NULL)
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct placed placed = place("openblas,scalar", &cases[i].shape);
        if (cases[i].reason == NULL) {
            assert_string_equal(placed.product, "openblas");
            continue;
        }
        assert_string_equal(placed.product, "scalar");
        if (strstr(placed.reason, cases[i].reason) == NULL)
            fail_msg("case %zu: expected \"%s\" in \"%s\"", i, cases[i].reason, placed.reason);
        assert_string_equal(place("openblas(claim=all)", &cases[i].shape).product, "openblas");
    }
}

static void types_are_told_apart(void **state) {
    static const struct {
        struct shape shape;
        const char *reason; /* NULL: it is claimed */
    } cases[] = {
        {{8, 8, 8, HEED_F32, HEED_F16, true, HEED_ACTIVATION_RELU}, NULL},
        {{8, 8, 8, HEED_F32, HEED_BF16, true, HEED_ACTIVATION_TANH}, NULL},
        {{8, 8, 8, HEED_F32, HEED_F16, false, HEED_ACTIVATION_NONE}, "neither f32 nor a weight"},
        {{8, 8, 8, HEED_F16, HEED_F16, true, HEED_ACTIVATION_NONE}, "a and the result must be f32"},
    };
    if (*state == NULL)
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct placed placed = place("openblas(claim=all)", &cases[i].shape);
        assert_string_equal(placed.product, cases[i].reason == NULL ? "openblas" : "scalar");
        if (cases[i].reason != NULL && strstr(placed.reason, cases[i].reason) == NULL)
            fail_msg("case %zu: expected \"%s\" in \"%s\"", i, cases[i].reason, placed.reason);
    }
}

static void unknown_options_are_refused(void **state) {
    struct heed_executor *executor = NULL;
    if (*state == NULL)
        skip();
    assert_int_equal(open_list(context, "openblas(claim=some),only", &executor),
                     HEED_ERROR_NOT_FOUND);
    assert_non_null(strstr(heed_last_error(context), "unknown option 'claim=some'"));
}

/* ---- threads ---- */

struct runner {
    struct heed_executor *executor;
    struct heed_program *program;
    float *y;
    bool failed;
};

static float a_value(int i) {
    return (float)((i * 37) % 101) / 64.0f - 0.7f;
}
static float b_value(int i) {
    return (float)((i * 53) % 97) / 64.0f - 0.7f;
}

/* K products of two values below 1 in magnitude, summed in any order. */
static void check_sums(const float *y) {
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < K; k++)
                sum += (double)a_value(i * K + k) * (double)b_value(k * N + j);
            if (!(fabs(sum - (double)y[i * N + j]) <= K * K * 0x1p-24))
                fail_msg("[%d, %d] is %.9g, expected %.9g", i, j, (double)y[i * N + j], sum);
        }
}

static void run(void *arg) {
    struct runner *runner = arg;
    struct heed_context *own = test_context(&memory, NULL, HEED_LOG_ERROR);
    struct heed_instance *instance = NULL;
    runner->failed = heed_instance_create(own, runner->program, &instance) != HEED_OK;
    for (int round = 0; round < 10 && !runner->failed; round++) {
        float *a = heed_instance_input(instance, "a", NULL);
        float *b = heed_instance_input(instance, "b", NULL);
        for (int i = 0; i < M * K; i++)
            a[i] = a_value(i);
        for (int i = 0; i < K * N; i++)
            b[i] = b_value(i);
        runner->failed = heed_instance_run(own, instance) != HEED_OK;
        const float *y = heed_instance_output(instance, "sums", NULL);
        if (round > 0 && memcmp(runner->y, y, sizeof(float) * M * N) != 0)
            runner->failed = true;
        memcpy(runner->y, y, sizeof(float) * M * N);
    }
    heed_instance_destroy(instance);
    heed_context_destroy(own);
}

/* A product of several pieces in both directions, by instances of one program, each on a thread of
 * its own and all on the executor's pool: every run gives the bits of the first. */
static void threads_do_not_disturb(void **state) {
    static float results[THREADS + 1][M * N];
    static const struct shape shape = {M, K, N, HEED_F32, HEED_F32, false, HEED_ACTIVATION_NONE};
    struct runner runners[THREADS + 1];
    struct heedi_thread *threads[THREADS];
    struct heed_executor *executor = NULL;
    struct heed_program *program = NULL;
    if (*state == NULL)
        skip();
    struct heed_graph *graph = product(&shape);
    ok(open_list(context, "openblas(claim=all)", &executor));
    ok(heed_program_compile(context, executor, graph, &program));
    for (int i = 0; i <= THREADS; i++)
        runners[i] = (struct runner){executor, program, results[i], false};
    run(&runners[THREADS]); /* alone */
    check_sums(results[THREADS]);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = heedi_os_thread_start(&context->env, run, &runners[i], "runner");
        assert_non_null(threads[i]);
    }
    for (int i = 0; i < THREADS; i++)
        heedi_os_thread_join(&context->env, threads[i]);
    for (int i = 0; i <= THREADS; i++) {
        assert_false(runners[i].failed);
        assert_memory_equal(results[i], results[THREADS], sizeof results[i]);
    }
    heed_program_release(program);
    heed_executor_release(executor);
    heed_graph_release(graph);
}

/* ---- memory ---- */

static enum heed_status whole_way(struct heed_context *own, struct heed_graph *graph) {
    struct heed_executor *executor = NULL;
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    enum heed_status status = open_list(own, "openblas(claim=all)", &executor);
    if (status == HEED_OK)
        status = heed_program_compile(own, executor, graph, &program);
    if (status == HEED_OK)
        status = heed_instance_create(own, program, &instance);
    if (status == HEED_OK)
        status = heed_instance_run(own, instance);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_executor_release(executor);
    return status;
}

/* Every allocation fails once, that of a converted weight among them. */
static void memory_runs_out(void **state) {
    static const struct shape shape = {2, 3, 4, HEED_F32, HEED_BF16, true, HEED_ACTIVATION_NONE};
    if (*state == NULL)
        skip();
    struct heed_graph *graph = product(&shape);
    long failures = 0;
    for (long at = 1;; at++) {
        const long live = atomic_load(&memory.live);
        atomic_store(&memory.calls, 0);
        atomic_store(&memory.fail_at, at);
        const enum heed_status status = whole_way(context, graph);
        const bool reached = atomic_load(&memory.calls) >= at;
        atomic_store(&memory.fail_at, 0);
        assert_int_equal(atomic_load(&memory.live), live);
        if (!reached) {
            ok(status);
            break;
        }
        if (status != HEED_OK)
            assert_int_equal(status, HEED_ERROR_OUT_OF_MEMORY);
        failures += status != HEED_OK;
    }
    assert_true(failures > 10);
    heed_graph_release(graph);
}

#define product_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        product_test(only_what_gains_is_claimed),
        product_test(types_are_told_apart),
        product_test(unknown_options_are_refused),
        product_test(threads_do_not_disturb),
        product_test(memory_runs_out),
    };
    return cmocka_run_group_tests_name("openblas", tests, NULL, NULL);
}
