/* SPDX-License-Identifier: Apache-2.0 */
/* Weights and tables that are larger than a storage buffer of the device shows are bound in pieces,
 * which are laid out anew where they do not lie side by side, and the results have the bits that
 * they have where one binding shows everything. */
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
#include "tests/support/device.h"

/* 500 rows of 20 (f32: 40,000 bytes) as a table and as a weight, each also transposed, and as a
 * batch of 5 weights with 100 rows of 20 */
enum { N = 500, K = 20, M = 3, BATCH = 5, PART = N / BATCH };

/* What the graph computes. */
struct results {
    float rows[M * K], columns[M * N];                       /* of the table */
    float y[M * N], z[M * K];                                /* x table^T + bias, u table */
    float batch_y[BATCH * M * PART], batch_z[BATCH * M * K]; /* the same of the batch */
    float quantized[M * K];                                  /* u and a table of i8 */
};
static const struct {
    const char *name;
    size_t offset, bytes;
} outputs[] = {
#define OUTPUT(name)                                                                               \
    { #name, offsetof(struct results, name), sizeof((struct results *)0)->name }
    OUTPUT(rows),    OUTPUT(columns), OUTPUT(y),         OUTPUT(z),
    OUTPUT(batch_y), OUTPUT(batch_z), OUTPUT(quantized),
#undef OUTPUT
};
enum { OUTPUTS = sizeof outputs / sizeof outputs[0] };

static struct heed_context *context;
static float weight[N * K];

static void ok(enum heed_status status) {
    if (status != HEED_OK)
        fail_msg("%s: %s", heed_status_name(status), heed_last_error(context));
}

static struct heed_weight *make_weight(enum heed_dtype type) {
    static uint16_t halves[N * K];
    const int64_t dims[] = {N, K};
    struct heed_weight *made = NULL;
    const struct heed_tensor_desc desc = heed_desc(type, 2, dims);
    /* halves of 1 ... 1.25, by their bits; one float per element, of both signs */
    for (uint32_t i = 0; i < N * K; i++) {
        halves[i] = (uint16_t)(0x3c00 + i % 256);
        weight[i] = (float)((i * 2654435761u) >> 8) * 0x1p-23f - 1.0f;
    }
    ok(heed_weight_create(context, "w", &desc, type == HEED_F32 ? (void *)weight : halves, NULL,
                          NULL, &made));
    return made;
}

static heed_tensor input(struct heed_graph *graph, const char *name, uint32_t rank, int64_t a,
                         int64_t b, int64_t c) {
    const int64_t dims[] = {a, b, c};
    heed_tensor x;
    heed_graph_input(graph, name, HEED_F32, rank, dims, 0, &x);
    return x;
}

static void product(struct heed_graph *graph, const char *name, const heed_tensor *inputs,
                    uint32_t count, uint32_t transposed) {
    const struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs, .transpose_b = transposed};
    heed_tensor y;
    heed_graph_add(graph, HEED_OP_MATMUL, name, inputs, count, &attrs, &y);
    heed_graph_output(graph, name, y);
}

/* u table, rows of u quantised, the table in i8 with a scale for each column. */
static void quantized_product(struct heed_graph *graph, heed_tensor u) {
    static int8_t bytes[N * K];
    const int64_t dims[] = {N, K};
    const struct heed_tensor_desc desc = heed_desc(HEED_I8, 2, dims);
    const struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs,
                                            .a_quantization = HEED_QUANTIZE_ROWS};
    const heed_tensor scale = input(graph, "scale", 1, K, 1, 1);
    struct heed_weight *constant = NULL;
    heed_tensor b, y;
    for (int i = 0; i < N * K; i++)
        bytes[i] = (int8_t)(i * 37 % 255 - 127);
    ok(heed_weight_create(context, "b", &desc, bytes, NULL, NULL, &constant));
    heed_graph_constant(graph, constant, &b);
    heed_graph_add(graph, HEED_OP_MATMUL, "quantized",
                   (const heed_tensor[]){u, b, HEED_NO_TENSOR, scale}, 4, &attrs, &y);
    heed_graph_output(graph, "quantized", y);
    heed_weight_release(constant);
}

static void look_up(struct heed_graph *graph, const char *name, heed_tensor table,
                    const char *ids_name) {
    const struct heed_embedding_attrs attrs = {.struct_size = sizeof attrs};
    const int64_t dims[] = {M};
    heed_tensor ids, rows;
    heed_graph_input(graph, ids_name, HEED_I32, 1, dims, 0, &ids);
    heed_graph_add(graph, HEED_OP_EMBEDDING, name, (const heed_tensor[]){table, ids}, 2, &attrs,
                   &rows);
    heed_graph_output(graph, name, rows);
}

static struct heed_graph *make_graph(enum heed_dtype type) {
    const struct heed_transpose_attrs exchange = {.struct_size = sizeof exchange, .perm = {1, 0}};
    const struct heed_shape_attrs parts = {
        .struct_size = sizeof parts, .rank = 3, .dims = {BATCH, PART, K}};
    struct heed_weight *constant = make_weight(type);
    struct heed_graph *graph = NULL;
    heed_tensor table, turned, batch;
    ok(heed_graph_create(context, "ranges", &graph));
    const heed_tensor x = input(graph, "x", 2, M, K, 1), u = input(graph, "u", 2, M, N, 1);
    const heed_tensor bias = input(graph, "bias", 1, N, 1, 1);
    const heed_tensor v = input(graph, "v", 3, BATCH, M, K),
                      w = input(graph, "w", 3, BATCH, M, PART);
    heed_graph_constant(graph, constant, &table);
    heed_graph_add(graph, HEED_OP_TRANSPOSE, NULL, &table, 1, &exchange, &turned);
    heed_graph_add(graph, HEED_OP_RESHAPE, NULL, &table, 1, &parts, &batch);
    look_up(graph, "rows", table, "ids");
    look_up(graph, "columns", turned, "turned_ids");
    product(graph, "y", (const heed_tensor[]){x, table, bias}, 3, 1);
    product(graph, "z", (const heed_tensor[]){u, table}, 2, 0);
    product(graph, "batch_y", (const heed_tensor[]){v, batch}, 2, 1);
    product(graph, "batch_z", (const heed_tensor[]){w, batch}, 2, 0);
    quantized_product(graph, u);
    ok(heed_graph_freeze(graph));
    heed_weight_release(constant);
    return graph;
}

static const int32_t wanted_ids[M] = {0, N - 1, 219}, wanted_columns[M] = {K - 1, 0, 7};

static void fill_inputs(struct heed_instance *instance) {
    static const char *const names[] = {"x", "u", "v", "w", "bias", "scale"};
    memcpy(heed_instance_input(instance, "ids", NULL), wanted_ids, sizeof wanted_ids);
    memcpy(heed_instance_input(instance, "turned_ids", NULL), wanted_columns,
           sizeof wanted_columns);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t bytes = 0;
        float *x = heed_instance_input(instance, names[i], &bytes);
        for (size_t j = 0; j < bytes / sizeof *x; j++)
            x[j] = (float)(j % 7) - 2.5f;
    }
}

static void take(struct heed_instance *instance, void *results) {
    for (size_t i = 0; i < OUTPUTS; i++)
        memcpy((char *)results + outputs[i].offset,
               heed_instance_output(instance, outputs[i].name, NULL), outputs[i].bytes);
}

static bool run(const char *limits, enum heed_dtype type, struct results *results) {
    return support_device_run(context, limits, make_graph(type), fill_inputs, take, results);
}

static int set_up(void **state) {
    struct results results;
    (void)state;
    ok(heed_context_create(NULL, &context));
    if (!run(NULL, HEED_F32, &results)) {
        print_message("SKIP: the vulkan plugin was not built, or has no device\n");
        heed_context_destroy(context);
        context = NULL;
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)unsetenv("HEED_VULKAN_LIMITS");
    heed_context_destroy(context);
    return 0;
}

/* A range of several pieces that end within a multiple of rows, one of few rows, one of an odd
 * number of bytes, and one that shows no column of a weight of the batch. */
static void pieces_give_the_same_bits(void **state) {
    static const char *const limits[] = {"range=16384", "range=8192", "range=9999", "range=7000"};
    static const enum heed_dtype types[] = {HEED_F32, HEED_F16};
    (void)state;
    if (context == NULL)
        skip();
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        struct results whole, found;
        assert_true(run(NULL, types[t], &whole));
        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
            memset(&found, 0xff, sizeof found);
            if (!run(limits[i], types[t], &found))
                fail_msg("%s: %s", limits[i], heed_last_error(context));
            for (size_t j = 0; j < OUTPUTS; j++)
                if (memcmp((char *)&found + outputs[j].offset, (char *)&whole + outputs[j].offset,
                           outputs[j].bytes) != 0)
                    fail_msg("%s: %s has other bits", limits[i], outputs[j].name);
        }
        for (int i = 0; t == 0 && i < M * K; i++)
            assert_true(whole.rows[i] == weight[wanted_ids[i / K] * K + i % K]);
        for (int i = 0; t == 0 && i < M * N; i++)
            assert_true(whole.columns[i] == weight[i % N * K + wanted_columns[i / N]]);
    }
}

/* What does not fit at all is declined, and the reason names it. */
static void too_large_is_declined(void **state) {
    static const struct {
        const char *limits, *reason;
    } cases[] = {
        {"range=256", "storage buffer of this device"},
        {"range=16384,allocation=30000", "larger than what this device allocates"},
    };
    struct results results;
    (void)state;
    if (context == NULL)
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(run(cases[i].limits, HEED_F32, &results));
        if (strstr(heed_last_error(context), cases[i].reason) == NULL)
            fail_msg("%s: %s", cases[i].limits, heed_last_error(context));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_give_the_same_bits),
                                       cmocka_unit_test(too_large_is_declined)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
