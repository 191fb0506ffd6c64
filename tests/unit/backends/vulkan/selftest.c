/* SPDX-License-Identifier: Apache-2.0 */
/* A form of a kernel that fails its test is set aside, once and with one line, and results are the
 * same without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "tests/support/memory.h"

enum { M = 3, K = 36, N = 5, PROGRAMS = 2 };

static struct test_log lines;

/* y = x W^T with quantised rows; every row of x has a 127, so that they stay as they are. */
static struct heed_graph *make_graph(struct heed_context *context) {
    static const int8_t weight[N * K] = {-128, 127, 3, [K] = 1, [4 * K + 1] = -7};
    static const float scales[N] = {1.0f, 1.0f, 1.0f, 1.0f, 0.5f};
    const int64_t x_dims[] = {M, K}, w_dims[] = {N, K}, s_dims[] = {N};
    const struct heed_tensor_desc w_desc = heed_desc(HEED_I8, 2, w_dims);
    const struct heed_tensor_desc s_desc = heed_desc(HEED_F32, 1, s_dims);
    const struct heed_matmul_attrs attrs = {
        .struct_size = sizeof attrs, .transpose_b = 1, .a_quantization = HEED_QUANTIZE_ROWS};
    struct heed_weight *w = NULL, *s = NULL;
    struct heed_graph *graph = NULL;
    heed_tensor in[4] = {HEED_NO_TENSOR, HEED_NO_TENSOR, HEED_NO_TENSOR, HEED_NO_TENSOR}, y;
    assert_int_equal(heed_graph_create(context, "selftest", &graph), HEED_OK);
    assert_int_equal(heed_weight_create(context, "w", &w_desc, weight, NULL, NULL, &w), HEED_OK);
    assert_int_equal(heed_weight_create(context, "s", &s_desc, scales, NULL, NULL, &s), HEED_OK);
    heed_graph_input(graph, "x", HEED_F32, 2, x_dims, 0, &in[0]);
    heed_graph_constant(graph, w, &in[1]);
    heed_graph_constant(graph, s, &in[3]);
    heed_graph_add(graph, HEED_OP_MATMUL, "y", in, 4, &attrs, &y);
    heed_graph_output(graph, "y", y);
    assert_int_equal(heed_graph_freeze(graph), HEED_OK);
    heed_weight_release(w);
    heed_weight_release(s);
    return graph;
}

static void run(struct heed_context *context, struct heed_executor *executor,
                struct heed_graph *graph) {
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    if (heed_program_compile(context, executor, graph, &program) != HEED_OK ||
        heed_instance_create(context, program, &instance) != HEED_OK)
        fail_msg("%s", heed_last_error(context));
    float *x = heed_instance_input(instance, "x", NULL);
    for (int i = 0; i < M * K; i++)
        x[i] = i % K == 0 ? 127.0f : i % K == 1 ? -100.0f : (float)(i / K);
    assert_int_equal(heed_instance_run(context, instance), HEED_OK);
    const float *y = heed_instance_output(instance, "y", NULL);
    for (int row = 0; row < M; row++) {
        const float expected[N] = {(float)(-128 * 127 - 127 * 100 + 3 * row), 127.0f, 0.0f, 0.0f,
                                   350.0f};
        for (int j = 0; j < N; j++)
            assert_true(y[row * N + j] == expected[j]);
    }
    heed_instance_destroy(instance);
    heed_program_release(program);
}

/* How many lines the log has about forms that failed. */
static unsigned run_with(const char *fault) {
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "vulkan,only", .plugin_path = HEED_TEST_PLUGINS};
    struct heed_executor *executor = NULL;
    test_log_clear(&lines);
    if (fault != NULL)
        assert_int_equal(setenv("HEED_VULKAN_FAULT", fault, 1), 0);
    struct heed_context *context = test_context(NULL, &lines, HEED_LOG_WARNING);
    const enum heed_status status = heed_executor_create(context, &options, &executor);
    (void)unsetenv("HEED_VULKAN_FAULT");
    if (status != HEED_OK) {
        heed_context_destroy(context);
        print_message("SKIP: the vulkan plugin was not built, or has no device\n");
        skip();
    }
    struct heed_graph *graph = make_graph(context);
    for (int i = 0; i < PROGRAMS; i++)
        run(context, executor, graph);
    heed_graph_release(graph);
    heed_executor_release(executor);
    heed_context_destroy(context);
    unsigned count = 0;
    for (const char *at = lines.text; (at = strstr(at, "fail their test")) != NULL; at++)
        count++;
    return count;
}

static void a_form_that_fails_is_set_aside(void **state) {
    (void)state;
    assert_int_equal(setenv("HEED_VULKAN_LIMITS", "dot=1", 1), 0);
    if (run_with("selftest") == 0) {
        print_message("SKIP: the device has no integer dot products\n");
        skip();
    }
    assert_int_equal(lines.lines, 1);
    assert_non_null(strstr(lines.text, "integer dot products fail their test"));
    assert_int_equal(run_with(NULL), 0);
    assert_int_equal(lines.lines, 0);
}

static void a_form_that_is_not_offered_is_not_tested(void **state) {
    (void)state;
    assert_int_equal(setenv("HEED_VULKAN_LIMITS", "dot=0", 1), 0);
    assert_int_equal(run_with("selftest"), 0);
    assert_int_equal(lines.lines, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_that_fails_is_set_aside),
        cmocka_unit_test(a_form_that_is_not_offered_is_not_tested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
