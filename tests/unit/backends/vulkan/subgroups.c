/* SPDX-License-Identifier: Apache-2.0 */
/* Rows are reduced by subgroups where the device has them and passes their test, else in shared
 * memory, to the same results. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "tests/support/kernels.h"
#include "tests/support/memory.h"

enum { ROWS = 5, N = 700, K = 3, OUTPUTS = 5, OPERATORS = 4 };

static struct test_log lines;
static struct heed_context *context;

/* What the graph gives. */
struct results {
    float softmax[ROWS * N], norm[ROWS * N], values[ROWS * K];
    int32_t argmax[ROWS], indices[ROWS * K];
};

static void ok(enum heed_status status) {
    if (status != HEED_OK)
        fail_msg("%s: %s", heed_status_name(status), heed_last_error(context));
}

static struct heed_graph *make_graph(void) {
    static const int64_t dims[] = {ROWS, N}, n = N;
    struct heed_graph *graph = NULL;
    heed_tensor x, gamma, beta, y[OUTPUTS];
    ok(heed_graph_create(context, "subgroups", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, dims, 0, &x);
    heed_graph_input(graph, "gamma", HEED_F32, 1, &n, 0, &gamma);
    heed_graph_input(graph, "beta", HEED_F32, 1, &n, 0, &beta);
    heed_graph_unary(graph, HEED_OP_SOFTMAX, "softmax", x, &y[0]);
    heed_graph_layer_norm(graph, "norm", x, gamma, beta, 1e-5f, &y[1]);
    heed_graph_top_k(graph, "top_k", x, K, &y[2], &y[3]);
    heed_graph_unary(graph, HEED_OP_ARGMAX, "argmax", x, &y[4]);
    static const char *const names[OUTPUTS] = {"softmax", "norm", "values", "indices", "argmax"};
    for (int i = 0; i < OUTPUTS; i++)
        heed_graph_output(graph, names[i], y[i]);
    ok(heed_graph_freeze(graph));
    return graph;
}

static void copy_out(struct heed_instance *instance, const char *name, void *to, size_t bytes) {
    memcpy(to, heed_instance_output(instance, name, NULL), bytes);
}

/* Runs the graph. *by_subgroups: how many of its operators did so. */
static void run(struct heed_executor *executor, struct results *results, int *by_subgroups) {
    static const char *const kernels[OPERATORS] = {"softmax", "layer_norm", "top_k", "argmax"};
    struct heed_graph *graph = make_graph();
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    ok(heed_program_compile(context, executor, graph, &program));
    ok(heed_instance_create(context, program, &instance));
    ok(heed_profile_create(context, &profile));
    heed_instance_set_profile(instance, profile);
    float *x = heed_instance_input(instance, "x", NULL);
    float *gamma = heed_instance_input(instance, "gamma", NULL);
    float *beta = heed_instance_input(instance, "beta", NULL);
    for (int i = 0; i < ROWS * N; i++) /* equals in every row, the greatest among them */
        x[i] = (float)((i * 7919 + i / N * 31) % 251) * 0.0625f - 5.0f;
    for (int i = 0; i < N; i++) {
        gamma[i] = 1.0f + (float)(i % 3);
        beta[i] = (float)(i % 5) - 2.0f;
    }
    ok(heed_instance_run(context, instance));
    copy_out(instance, "softmax", results->softmax, sizeof results->softmax);
    copy_out(instance, "norm", results->norm, sizeof results->norm);
    copy_out(instance, "values", results->values, sizeof results->values);
    copy_out(instance, "indices", results->indices, sizeof results->indices);
    copy_out(instance, "argmax", results->argmax, sizeof results->argmax);
    *by_subgroups = 0;
    for (int i = 0; i < OPERATORS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%s_subgroup", kernels[i]);
        const bool subgroup = kernel_ran(context, profile, name);
        if (subgroup == kernel_ran(context, profile, kernels[i]))
            fail_msg("of %s and %s, both or none ran", kernels[i], name);
        *by_subgroups += subgroup;
    }
    heed_profile_destroy(profile);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
}

/* False: there is no device. */
static bool run_with(const char *fault, const char *limits, struct results *results,
                     int *by_subgroups) {
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "vulkan,only", .plugin_path = HEED_TEST_PLUGINS};
    struct heed_executor *executor = NULL;
    test_log_clear(&lines);
    if (fault != NULL)
        assert_int_equal(setenv("HEED_VULKAN_FAULT", fault, 1), 0);
    if (limits != NULL)
        assert_int_equal(setenv("HEED_VULKAN_LIMITS", limits, 1), 0);
    context = test_context(NULL, &lines, HEED_LOG_WARNING);
    const bool opened = heed_executor_create(context, &options, &executor) == HEED_OK;
    if (opened)
        run(executor, results, by_subgroups);
    (void)unsetenv("HEED_VULKAN_FAULT");
    (void)unsetenv("HEED_VULKAN_LIMITS");
    heed_executor_release(executor);
    heed_context_destroy(context);
    return opened;
}

static void expect_alike(const struct results *a, const struct results *b) {
    for (int i = 0; i < ROWS * N; i++) {
        assert_true(fabsf(a->softmax[i] - b->softmax[i]) <= 1e-6f * b->softmax[i]);
        assert_true(fabsf(a->norm[i] - b->norm[i]) <= 1e-5f);
    }
    assert_memory_equal(a->values, b->values, sizeof a->values);
    assert_memory_equal(a->indices, b->indices, sizeof a->indices);
    assert_memory_equal(a->argmax, b->argmax, sizeof a->argmax);
}

static void subgroups_give_what_shared_memory_gives(void **state) {
    static struct results plain, found;
    int count = 0;
    (void)state;
    if (!run_with("selftest", NULL, &plain, &count)) {
        print_message("SKIP: the vulkan plugin was not built, or has no device\n");
        skip();
    }
    assert_int_equal(count, 0);
    for (int row = 0; row < ROWS; row++)
        assert_int_equal(plain.argmax[row], plain.indices[row * K]);
    if (lines.lines == 0) {
        print_message("SKIP: the device has no arithmetic of subgroups\n");
        skip();
    }
    assert_int_equal(lines.lines, 1);
    assert_non_null(strstr(lines.text, "sums by subgroups fail their test"));
    assert_true(run_with(NULL, NULL, &found, &count));
    assert_int_equal(count, OPERATORS);
    assert_int_equal(lines.lines, 0);
    expect_alike(&found, &plain);
    assert_true(run_with("selftest", "subgroup=0", &found, &count));
    assert_int_equal(count, 0);
    assert_int_equal(lines.lines, 0);
    assert_memory_equal(&found, &plain, sizeof plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(subgroups_give_what_shared_memory_gives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
