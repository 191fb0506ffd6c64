/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of graphs share: a context that counts its memory, and one graph a test. */
#ifndef HEED_TESTS_UNIT_RUNTIME_GRAPH_GRAPH_TEST_H
#define HEED_TESTS_UNIT_RUNTIME_GRAPH_GRAPH_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/graph/graph.h"
#include "tests/support/memory.h"

#define DIMS(...)                                                                                  \
    (uint32_t)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]) {      \
        __VA_ARGS__                                                                                \
    }

static struct test_memory memory;
static struct test_log logged;
static struct heed_context *context;
static struct heed_graph *graph;

/* Nothing may be left alive after a test, whatever became of its graph. */
static inline int setup(void **state) {
    (void)state;
    test_memory_init(&memory);
    test_log_clear(&logged);
    context = test_context(&memory, &logged, HEED_LOG_WARNING);
    return context == NULL || heed_graph_create(context, "g", &graph) != HEED_OK;
}

static inline int teardown(void **state) {
    (void)state;
    heed_graph_release(graph);
    heed_context_destroy(context);
    return atomic_load(&memory.live) != 0;
}

#define graph_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        const enum heed_status status_ = (call);                                                   \
        if (status_ != HEED_OK)                                                                    \
            fail_msg("%s: %s", heed_status_name(status_), heed_last_error(context));               \
    } while (0)

/* The call fails in these words, and the failure sticks. Starts a new graph then. */
#define assert_refused(call, expected, words)                                                      \
    do {                                                                                           \
        const enum heed_status status_ = (call);                                                   \
        if (status_ != (expected) || strstr(heed_last_error(context), (words)) == NULL)            \
            fail_msg("expected %s \"%s\", got %s \"%s\"", heed_status_name(expected), (words),     \
                     heed_status_name(status_), heed_last_error(context));                         \
        assert_int_equal(heed_graph_freeze(graph), (expected));                                    \
        restart();                                                                                 \
    } while (0)

static inline void restart(void) {
    heed_graph_release(graph);
    assert_ok(heed_graph_create(context, "g", &graph));
}

static inline heed_tensor input(const char *name, enum heed_dtype dtype, uint32_t rank,
                                const int64_t *dims) {
    heed_tensor tensor = HEED_NO_TENSOR;
    assert_ok(heed_graph_input(graph, name, dtype, rank, dims, 0, &tensor));
    return tensor;
}

static inline heed_tensor relu(const char *name, heed_tensor x) {
    heed_tensor y = HEED_NO_TENSOR;
    assert_ok(heed_graph_unary(graph, HEED_OP_RELU, name, x, &y));
    return y;
}

/* Type and dims of a tensor, and nothing said of its strides. */
static inline void assert_shape(heed_tensor tensor, enum heed_dtype dtype, uint32_t rank,
                                const int64_t *dims) {
    struct heed_tensor_desc desc;
    assert_ok(heed_graph_tensor_desc(graph, tensor, &desc));
    assert_int_equal(desc.dtype, dtype);
    assert_int_equal(desc.rank, rank);
    for (uint32_t i = 0; i < rank; i++)
        assert_int_equal(desc.dims[i], dims[i]);
}

#endif
