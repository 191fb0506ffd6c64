/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the executor share: a context that counts and logs, small graphs. */
#ifndef HEED_TESTS_UNIT_RUNTIME_EXEC_EXEC_TEST_H
#define HEED_TESTS_UNIT_RUNTIME_EXEC_EXEC_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "heed/heed.h"
#include "runtime/base/os.h"
#include "runtime/exec/executor.h"
#include "tests/support/fake_backend.h"
#include "tests/support/memory.h"

static struct test_memory memory;
static struct test_log logged;
static struct heed_context *context;

/* Every test starts with both fakes as new, and ends without anything left alive. */
static inline int setup(void **state) {
    (void)state;
    test_memory_init(&memory);
    test_log_clear(&logged);
    context = test_context(&memory, &logged, HEED_LOG_WARNING);
    if (context == NULL)
        return 1;
    fake_reset(context);
    return 0;
}

static inline int teardown(void **state) {
    (void)state;
    heed_context_destroy(context);
    return atomic_load(&memory.live) != 0 || atomic_load(&fake_a.live) != 0 ||
           atomic_load(&fake_b.live) != 0;
}

#define exec_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

/* Fails the test with the words of the context. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        const enum heed_status status_ = (call);                                                   \
        if (status_ != HEED_OK)                                                                    \
            fail_msg("%s: %s", heed_status_name(status_), heed_last_error(context));               \
    } while (0)
#define assert_fails(call, expected, words)                                                        \
    do {                                                                                           \
        assert_int_equal((call), (expected));                                                      \
        if (strstr(heed_last_error(context), (words)) == NULL)                                     \
            fail_msg("expected \"%s\" in \"%s\"", (words), heed_last_error(context));              \
    } while (0)
#define assert_logged(words)                                                                       \
    do {                                                                                           \
        if (strstr(logged.text, (words)) == NULL)                                                  \
            fail_msg("expected \"%s\" in the log:\n%s", (words), logged.text);                     \
    } while (0)

static inline struct heed_executor *open_executor(const char *backends) {
    struct heed_executor *executor = NULL;
    const struct heed_executor_options options = {
        .struct_size = (uint32_t)sizeof options, .backends = backends, .max_programs = 2};
    assert_ok(heed_executor_create(context, &options, &executor));
    return executor;
}

/* y = relu(x w + x) + 1 over x [2, 3], with w = 2 on the diagonal: y = max(3 x, 0) + 1. */
static const int64_t small_dims[2] = {2, 3};
static const float small_weight[9] = {2, 0, 0, 0, 2, 0, 0, 0, 2};
static const float small_one[3] = {1, 1, 1};

static inline heed_tensor constant(struct heed_graph *graph, const char *name, uint32_t rank,
                                   const int64_t *dims, const float *data) {
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, rank, dims);
    struct heed_weight *weight = NULL;
    heed_tensor tensor = HEED_NO_TENSOR;
    assert_ok(heed_weight_create(context, name, &desc, data, NULL, NULL, &weight));
    assert_ok(heed_graph_constant(graph, weight, &tensor));
    heed_weight_release(weight);
    return tensor;
}

static inline struct heed_graph *small_graph(void) {
    struct heed_graph *graph = NULL;
    heed_tensor x, y;
    assert_ok(heed_graph_create(context, "small", &graph));
    assert_ok(heed_graph_input(graph, "x", HEED_F32, 2, small_dims, 0, &x));
    const heed_tensor w = constant(graph, "w", 2, (const int64_t[]){3, 3}, small_weight);
    const heed_tensor one = constant(graph, "one", 1, (const int64_t[]){3}, small_one);
    const struct heed_matmul_attrs attrs = {.struct_size = (uint32_t)sizeof attrs};
    heed_graph_matmul(graph, "product", x, w, &attrs, &y);
    heed_graph_binary(graph, HEED_OP_ADD, "sum", y, x, &y);
    heed_graph_unary(graph, HEED_OP_RELU, "bend", y, &y);
    heed_graph_binary(graph, HEED_OP_ADD, "lift", y, one, &y);
    heed_graph_output(graph, "y", y);
    assert_ok(heed_graph_freeze(graph));
    return graph;
}

/* Runs a program of the small graph and checks the result. */
static inline void check_small_run(struct heed_instance *instance) {
    static const float x[6] = {-2, -1, 0, 1, 2, 3}, expected[6] = {1, 1, 1, 4, 7, 10};
    size_t bytes = 0;
    void *input = heed_instance_input(instance, "x", &bytes);
    assert_non_null(input);
    assert_int_equal(bytes, sizeof x);
    assert_int_equal((uintptr_t)input % 64, 0);
    memcpy(input, x, sizeof x);
    assert_ok(heed_instance_run(context, instance));
    const float *y = heed_instance_output(instance, "y", &bytes);
    assert_non_null(y);
    assert_int_equal(bytes, sizeof expected);
    for (size_t i = 0; i < 6; i++)
        assert_true(y[i] == expected[i]);
}

static inline void check_small(struct heed_program *program) {
    struct heed_instance *instance = NULL;
    assert_ok(heed_instance_create(context, program, &instance));
    check_small_run(instance);
    heed_instance_destroy(instance);
}

static inline struct heed_program *compile(struct heed_executor *executor,
                                           struct heed_graph *graph) {
    struct heed_program *program = NULL;
    assert_ok(heed_program_compile(context, executor, graph, &program));
    return program;
}

/* "product:fake_a sum:fake_b ..." in execution order; reasons of the last call by node. */
struct placements {
    char text[1024];
    char reasons[1024];
    uint32_t parts;
    double flops;
};
static inline void note_placement(void *user, const struct heed_placement *placement) {
    struct placements *placements = user;
    const size_t used = strlen(placements->text), reasoned = strlen(placements->reasons);
    snprintf(placements->text + used, sizeof placements->text - used, "%s%s:%s",
             used > 0 ? " " : "", placement->node, placement->backend);
    snprintf(placements->reasons + reasoned, sizeof placements->reasons - reasoned, "[%s]",
             placement->reason);
    if (strcmp(placement->backend, "view") != 0 && placement->part + 1 > placements->parts)
        placements->parts = placement->part + 1;
    placements->flops += placement->flops;
}
static inline struct placements placements_of(const struct heed_program *program) {
    struct placements placements;
    memset(&placements, 0, sizeof placements);
    heed_program_placements(program, note_placement, &placements);
    return placements;
}

#endif
