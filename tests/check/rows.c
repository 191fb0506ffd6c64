/* SPDX-License-Identifier: Apache-2.0 */
/* A row of a batch has the bits that it has alone: what a sentence is translated to does not depend
 * on its neighbours. Checked on matmul (real and with quantised rows), layer_norm and attention in
 * one graph. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/agree.h"

enum { MOST_ROWS = 20, K = 900, N = 70, HEADS = 2, KEYS = 160, D = N / HEADS };

struct data {
    float x[MOST_ROWS][K], keys[MOST_ROWS][HEADS][KEYS][D], values[MOST_ROWS][HEADS][KEYS][D];
    float weight[N][K], bias[N], gamma[N], beta[N];
    int8_t i8[N][K];
    float scale[N];
    bool quantized; /* i8 is the weight */
    int32_t lengths[MOST_ROWS];
};

static void fill(struct heedi_random *random, float *values, size_t bytes) {
    for (size_t i = 0; i < bytes / sizeof *values; i++)
        values[i] = heedi_random_value(random, HEEDI_VALUES_NORMAL);
}

/* attention(layer_norm(x w^T + bias), keys, values) of rows [first, first + rows), to y [rows, N].
 */
static void run_rows(struct agree_suite *suite, const struct data *data, int64_t first,
                     int64_t rows, float *y) {
    static const int64_t n = N, weight_dims[] = {N, K};
    const int64_t x_dims[] = {rows, K}, q_dims[] = {rows, HEADS, 1, D};
    const int64_t kv_dims[] = {rows, HEADS, KEYS, D};
    const struct heed_attention_attrs attrs = {.struct_size = sizeof attrs,
                                               .score = HEED_SCORE_SCALED};
    struct heed_graph *graph = NULL;
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    heed_tensor x, inputs[HEED_ATTENTION_INPUTS];
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    assert_int_equal(heed_graph_create(suite->context, "rows", &graph), HEED_OK);
    heed_graph_input(graph, "x", HEED_F32, 2, x_dims, 0, &x);
    heed_graph_input(graph, "k", HEED_F32, 4, kv_dims, 0, &inputs[HEED_ATTENTION_K]);
    heed_graph_input(graph, "v", HEED_F32, 4, kv_dims, 0, &inputs[HEED_ATTENTION_V]);
    heed_graph_input(graph, "len", HEED_I32, 1, &rows, 0, &inputs[HEED_ATTENTION_KEY_LEN]);
    const heed_tensor bias = agree_constant(suite, graph, "b", HEED_F32, 1, &n, data->bias);
    if (data->quantized)
        heed_graph_quantized_linear(
            graph, NULL, x, agree_constant(suite, graph, "w", HEED_I8, 2, weight_dims, data->i8),
            agree_constant(suite, graph, "s", HEED_F32, 1, &n, data->scale), bias,
            HEED_ACTIVATION_SILU, &x);
    else
        heed_graph_linear(graph, NULL, x,
                          agree_constant(suite, graph, "w", HEED_F32, 2, weight_dims, data->weight),
                          bias, HEED_ACTIVATION_SILU, &x);
    heed_graph_layer_norm(
        graph, NULL, x, agree_constant(suite, graph, "gamma", HEED_F32, 1, &n, data->gamma),
        agree_constant(suite, graph, "beta", HEED_F32, 1, &n, data->beta), 1e-5f, &x);
    heed_graph_reshape(graph, NULL, x, 4, q_dims, &inputs[HEED_ATTENTION_Q]);
    heed_graph_attention(graph, NULL, inputs, &attrs, &x, NULL);
    heed_graph_output(graph, "y", x);
    if (heed_graph_freeze(graph) != HEED_OK ||
        heed_program_compile(suite->context, suite->executors[0], graph, &program) != HEED_OK ||
        heed_instance_create(suite->context, program, &instance) != HEED_OK)
        fail_msg("%s", heed_last_error(suite->context));
    const size_t count = (size_t)rows;
    memcpy(heed_instance_input(instance, "x", NULL), data->x[first], count * sizeof data->x[0]);
    memcpy(heed_instance_input(instance, "k", NULL), data->keys[first],
           count * sizeof data->keys[0]);
    memcpy(heed_instance_input(instance, "v", NULL), data->values[first],
           count * sizeof data->values[0]);
    memcpy(heed_instance_input(instance, "len", NULL), &data->lengths[first],
           count * sizeof data->lengths[0]);
    assert_int_equal(heed_instance_run(suite->context, instance), HEED_OK);
    memcpy(y, heed_instance_output(instance, "y", NULL), count * N * sizeof *y);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
}

static void check_rows(struct agree_suite *suite, bool quantized) {
    static struct data data;
    static float whole[MOST_ROWS][N], alone[N];
    struct heedi_random random = {suite->seed};
    fill(&random, &data.x[0][0], sizeof data.x);
    fill(&random, &data.keys[0][0][0][0], sizeof data.keys);
    fill(&random, &data.values[0][0][0][0], sizeof data.values);
    fill(&random, &data.weight[0][0], sizeof data.weight);
    fill(&random, data.bias, sizeof data.bias);
    fill(&random, data.gamma, sizeof data.gamma);
    fill(&random, data.beta, sizeof data.beta);
    data.quantized = quantized;
    for (int i = 0; i < N; i++) {
        data.scale[i] = 0.01f * (float)heedi_random_range(&random, 1, 9);
        for (int j = 0; j < K; j++)
            data.i8[i][j] = (int8_t)heedi_random_range(&random, -127, 127);
    }
    for (int i = 0; i < MOST_ROWS; i++)
        data.lengths[i] = (int32_t)heedi_random_range(&random, 1, KEYS);
    for (int64_t rows = 1; rows <= MOST_ROWS; rows++) {
        run_rows(suite, &data, 0, rows, &whole[0][0]);
        for (int64_t i = 0; i < rows; i++) {
            run_rows(suite, &data, i, 1, alone);
            assert_memory_equal(whole[i], alone, sizeof alone);
        }
    }
}

static void test_batch_equals_rows(void **state) {
    const struct agree_suite *suite = *state;
    if (suite->rows_vary)
        skip();
    check_rows(*state, false);
}

static void test_quantized_batch_equals_rows(void **state) {
    check_rows(*state, true);
}

/* attention of queries [first, first + count) of one sequence to all its keys, or causal to those
 * that come before them; to y [HEADS, count, D]. */
static void run_queries(struct agree_suite *suite, const float *q, const float *k, const float *v,
                        int64_t first, int64_t count, bool causal, float *y) {
    const int64_t q_dims[] = {1, HEADS, count, D}, kv_dims[] = {1, HEADS, KEYS, D}, one = 1;
    const struct heed_attention_attrs attrs = {
        .struct_size = sizeof attrs, .score = HEED_SCORE_SCALED, .causal = causal};
    struct heed_graph *graph = NULL;
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    heed_tensor x = HEED_NO_TENSOR, inputs[HEED_ATTENTION_INPUTS];
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    assert_int_equal(heed_graph_create(suite->context, "queries", &graph), HEED_OK);
    heed_graph_input(graph, "q", HEED_F32, 4, q_dims, 0, &inputs[HEED_ATTENTION_Q]);
    heed_graph_input(graph, "k", HEED_F32, 4, kv_dims, 0, &inputs[HEED_ATTENTION_K]);
    heed_graph_input(graph, "v", HEED_F32, 4, kv_dims, 0, &inputs[HEED_ATTENTION_V]);
    heed_graph_input(graph, "start", HEED_I32, 1, &one, 0, &inputs[HEED_ATTENTION_Q_START]);
    heed_graph_attention(graph, NULL, inputs, &attrs, &x, NULL);
    heed_graph_output(graph, "y", x);
    if (heed_graph_freeze(graph) != HEED_OK ||
        heed_program_compile(suite->context, suite->executors[0], graph, &program) != HEED_OK ||
        heed_instance_create(suite->context, program, &instance) != HEED_OK)
        fail_msg("%s", heed_last_error(suite->context));
    const size_t keys_bytes = (size_t)HEADS * KEYS * D * sizeof(float);
    const size_t bytes = (size_t)count * D * sizeof(float);
    float *q_input = heed_instance_input(instance, "q", NULL);
    for (int64_t head = 0; head < HEADS; head++)
        memcpy(q_input + head * count * D, q + (head * KEYS + first) * D, bytes);
    memcpy(heed_instance_input(instance, "k", NULL), k, keys_bytes);
    memcpy(heed_instance_input(instance, "v", NULL), v, keys_bytes);
    *(int32_t *)heed_instance_input(instance, "start", NULL) = (int32_t)first;
    assert_int_equal(heed_instance_run(suite->context, instance), HEED_OK);
    memcpy(y, heed_instance_output(instance, "y", NULL), HEADS * bytes);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
}

static void test_queries_equal_one(void **state) {
    static float q[HEADS * KEYS * D], k[HEADS * KEYS * D], v[HEADS * KEYS * D];
    static float together[HEADS * KEYS * D], alone[HEADS * D];
    static const int64_t counts[] = {2, 3, 7, KEYS};
    struct agree_suite *suite = *state;
    struct heedi_random random = {suite->seed};
    fill(&random, q, sizeof q);
    fill(&random, k, sizeof k);
    fill(&random, v, sizeof v);
    for (size_t i = 0; i < 2 * sizeof counts / sizeof *counts; i++) {
        const int64_t count = counts[i / 2], first = KEYS - count;
        const bool causal = i % 2 == 1;
        run_queries(suite, q, k, v, first, count, causal, together);
        for (int64_t t = 0; t < count; t++) {
            run_queries(suite, q, k, v, first + t, 1, causal, alone);
            for (int64_t head = 0; head < HEADS; head++)
                assert_memory_equal(together + (head * count + t) * D, alone + head * D,
                                    D * sizeof(float));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_batch_equals_rows),
                                       cmocka_unit_test(test_quantized_batch_equals_rows),
                                       cmocka_unit_test(test_queries_equal_one)};
    return agree_main(tests, sizeof tests / sizeof *tests);
}
