/* SPDX-License-Identifier: Apache-2.0 */
/* Which form of attention Vulkan takes for which shapes, and that each agrees with the reference,
 * on shapes larger than those that tests/check draws, with the same bits in every run. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "runtime/check/case.h"
#include "tests/support/evaluate.h"
#include "tests/support/kernels.h"

/* Sums over some hundred keys of numbers of about 1, and of their exponentials. */
static const double tolerance = 1e-5;

enum { RUNS = 100, STRETCHES = 6, INPUTS = 8 };

/* Of the queries that are taken together, and alone: more keys than one workgroup has. */
enum { QUERIES = 12, KEYS = 300, D = 36 };

struct form {
    const char *kernel;
    int64_t b, h, kv_heads, tq, tk, d, dv;
    enum heed_dtype type; /* of k and v */
    bool causal, lengths, packed, table;
    uint32_t window, max_len;
};

static const struct form forms[] = {
    {.kernel = "attention_block",
     .b = 2,
     .h = 4,
     .kv_heads = 2,
     .tq = 70,
     .tk = 75,
     .d = 64,
     .dv = 64,
     .type = HEED_F32,
     .causal = true,
     .lengths = true},
    {.kernel = "attention_block",
     .b = 1,
     .h = 2,
     .kv_heads = 1,
     .tq = 40,
     .tk = 200,
     .d = 128,
     .dv = 96,
     .type = HEED_F16,
     .causal = true,
     .window = 17},
    {.kernel = "attention_block",
     .b = 1,
     .h = 2,
     .kv_heads = 2,
     .tq = 89,
     .tk = 89,
     .d = 24,
     .dv = 31,
     .type = HEED_F32,
     .packed = true,
     .max_len = 50},
    {.kernel = "attention_block",
     .b = 3,
     .h = 1,
     .kv_heads = 1,
     .tq = 5,
     .tk = 21,
     .d = 48,
     .dv = 48,
     .type = HEED_BF16},
    {.kernel = "attention_split",
     .b = 3,
     .h = 2,
     .kv_heads = 2,
     .tq = 1,
     .tk = 600,
     .d = 64,
     .dv = 64,
     .type = HEED_F32,
     .lengths = true},
    {.kernel = "attention_split",
     .b = 1,
     .h = 2,
     .kv_heads = 1,
     .tq = 3,
     .tk = 260,
     .d = 20,
     .dv = 7,
     .type = HEED_F16,
     .causal = true,
     .lengths = true},
    {.kernel = "attention",
     .b = 2,
     .h = 2,
     .kv_heads = 2,
     .tq = 1,
     .tk = 200,
     .d = 64,
     .dv = 64,
     .type = HEED_F32,
     .lengths = true},
    {.kernel = "attention",
     .b = 2,
     .h = 1,
     .kv_heads = 1,
     .tq = 6,
     .tk = 40,
     .d = 32,
     .dv = 32,
     .type = HEED_F32,
     .table = true},
};

/* Entries of offsets, of key_len and of q_start; what is not there is not an input. */
static const int32_t offsets[STRETCHES] = {0, 1, 32, 32, 82, 89};
static const int32_t lengths[] = {600, 130, 0}, starts[] = {30, 200, 0};

struct operands {
    const void *data[INPUTS]; /* in the order of the graph's inputs */
    const char *names[INPUTS];
    size_t bytes[INPUTS];
    void *drawn[INPUTS]; /* to be freed */
    int count;
};

static struct heed_context *context;
static uint32_t bits;

static void ok(enum heed_status status) {
    if (status != HEED_OK)
        fail_msg("%s: %s", heed_status_name(status), heed_last_error(context));
}

static heed_tensor give(struct heed_graph *graph, struct operands *operands, const char *name,
                        enum heed_dtype type, uint32_t rank, const int64_t *dims,
                        const void *data) {
    const struct heed_tensor_desc desc = heed_desc(type, rank, dims);
    heed_tensor tensor = HEED_NO_TENSOR;
    ok(heed_graph_input(graph, name, type, rank, dims, 0, &tensor));
    operands->names[operands->count] = name;
    operands->bytes[operands->count] = (size_t)heed_desc_elems(&desc) * heed_dtype_bytes(type);
    operands->data[operands->count++] = data;
    return tensor;
}

/* Numbers in [-1, 1) that are exact in every type: multiples of 1/64. */
static heed_tensor draw(struct heed_graph *graph, struct operands *operands, const char *name,
                        enum heed_dtype type, const int64_t dims[4]) {
    const struct heed_tensor_desc desc = heed_desc(type, 4, dims);
    const size_t count = (size_t)heed_desc_elems(&desc);
    void *data = calloc(count, heed_dtype_bytes(type));
    assert_non_null(data);
    for (size_t i = 0; i < count; i++) {
        bits = bits * 1664525u + 1013904223u;
        heedi_store(data, type, (int64_t)i, (double)(bits >> 25) * 0x1p-6 - 1.0);
    }
    operands->drawn[operands->count] = data;
    return give(graph, operands, name, type, 4, dims, data);
}

static struct heed_graph *make_graph(const struct form *form, struct operands *operands) {
    const int64_t q[] = {form->b, form->h, form->tq, form->d}, count[] = {STRETCHES};
    const int64_t k[] = {form->b, form->kv_heads, form->tk, form->d};
    const int64_t v[] = {form->b, form->kv_heads, form->tk, form->dv};
    const struct heed_attention_attrs attrs = {.struct_size = sizeof attrs,
                                               .score = HEED_SCORE_SCALED,
                                               .scale = 1.0f,
                                               .causal = form->causal,
                                               .window = form->window,
                                               .max_len = form->max_len};
    static const int32_t rows[2][40] = {{0, 1, 1, -1, 0, 2}, {1, 0, 1}};
    struct heed_graph *graph = NULL;
    heed_tensor inputs[HEED_ATTENTION_INPUTS], y;
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    ok(heed_graph_create(context, "form", &graph));
    inputs[HEED_ATTENTION_Q] = draw(graph, operands, "q", HEED_F32, q);
    inputs[HEED_ATTENTION_K] = draw(graph, operands, "k", form->type, k);
    inputs[HEED_ATTENTION_V] = draw(graph, operands, "v", form->type, v);
    if (form->lengths) {
        inputs[HEED_ATTENTION_KEY_LEN] =
            give(graph, operands, "key_len", HEED_I32, 1, &form->b, lengths);
        inputs[HEED_ATTENTION_Q_START] =
            give(graph, operands, "q_start", HEED_I32, 1, &form->b, starts);
    }
    if (form->table)
        inputs[HEED_ATTENTION_KV_ROW] =
            give(graph, operands, "kv_row", HEED_I32, 2, (const int64_t[]){2, 40}, rows);
    if (form->packed) {
        inputs[HEED_ATTENTION_Q_OFFSETS] =
            give(graph, operands, "q_offsets", HEED_I32, 1, count, offsets);
        inputs[HEED_ATTENTION_KV_OFFSETS] =
            give(graph, operands, "kv_offsets", HEED_I32, 1, count, offsets);
    }
    ok(heed_graph_attention(graph, "node", inputs, &attrs, &y, NULL));
    ok(heed_graph_output(graph, "y", y));
    ok(heed_graph_freeze(graph));
    return graph;
}

static void compare(const struct form *form, const struct heed_graph *graph,
                    const struct operands *operands, const float *found) {
    struct evaluation reference;
    evaluate_begin(&reference, graph, operands->data);
    const heed_tensor y = evaluate_find(graph, "y");
    for (int64_t i = 0; i < form->b * form->h * form->tq * form->dv; i++) {
        const double wanted = evaluate_element(&reference, y, i);
        if (!(fabs((double)found[i] - wanted) <= tolerance))
            fail_msg("%s: element %d is %.9g, expected %.9g", form->kernel, (int)i,
                     (double)found[i], wanted);
    }
    evaluate_end(&reference);
}

static void run_form(struct heed_executor *executor, const struct form *form) {
    struct operands operands = {.count = 0};
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    const size_t bytes = (size_t)(form->b * form->h * form->tq * form->dv) * sizeof(float);
    struct heed_graph *graph = make_graph(form, &operands);
    float *first = malloc(bytes);
    assert_non_null(first);
    ok(heed_program_compile(context, executor, graph, &program));
    ok(heed_instance_create(context, program, &instance));
    ok(heed_profile_create(context, &profile));
    heed_instance_set_profile(instance, profile);
    for (int i = 0; i < operands.count; i++)
        memcpy(heed_instance_input(instance, operands.names[i], NULL), operands.data[i],
               operands.bytes[i]);
    for (int run = 0; run < RUNS; run++) {
        ok(heed_instance_run(context, instance));
        const float *found = heed_instance_output(instance, "y", NULL);
        if (run == 0) {
            heed_instance_set_profile(instance, NULL);
            if (!kernel_ran(context, profile, form->kernel))
                fail_msg("heads of %d, %d queries, %d keys: %s was not taken", (int)form->d,
                         (int)form->tq, (int)form->tk, form->kernel);
            compare(form, graph, &operands, found);
            memcpy(first, found, bytes);
        } else if (memcmp(first, found, bytes) != 0) {
            fail_msg("%s: run %d gives other bits than the first", form->kernel, run + 1);
        }
    }
    for (int i = 0; i < INPUTS; i++)
        free(operands.drawn[i]);
    free(first);
    heed_profile_destroy(profile);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
}

static struct heed_executor *open_device(void) {
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "vulkan,only", .plugin_path = HEED_TEST_PLUGINS};
    struct heed_executor *executor = NULL;
    ok(heed_context_create(NULL, &context));
    if (heed_executor_create(context, &options, &executor) != HEED_OK) {
        print_message("SKIP: the vulkan plugin was not built, or has no device\n");
        heed_context_destroy(context);
        skip();
    }
    return executor;
}

/* Queries [first, first + count) of one head to all keys: which form has them depends on how many
 * there are. */
static void run_queries(struct heed_executor *executor, const float *numbers, int64_t first,
                        int64_t count, float *y) {
    static const int64_t kv[] = {1, 1, KEYS, D};
    const int64_t q[] = {1, 1, count, D};
    const struct heed_attention_attrs attrs = {.struct_size = sizeof attrs};
    struct heed_graph *graph = NULL;
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    heed_tensor inputs[HEED_ATTENTION_INPUTS], tensor;
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    ok(heed_graph_create(context, "queries", &graph));
    ok(heed_graph_input(graph, "q", HEED_F32, 4, q, 0, &inputs[HEED_ATTENTION_Q]));
    ok(heed_graph_input(graph, "k", HEED_F32, 4, kv, 0, &inputs[HEED_ATTENTION_K]));
    ok(heed_graph_input(graph, "v", HEED_F32, 4, kv, 0, &inputs[HEED_ATTENTION_V]));
    ok(heed_graph_attention(graph, "node", inputs, &attrs, &tensor, NULL));
    ok(heed_graph_output(graph, "y", tensor));
    ok(heed_graph_freeze(graph));
    ok(heed_program_compile(context, executor, graph, &program));
    ok(heed_instance_create(context, program, &instance));
    memcpy(heed_instance_input(instance, "q", NULL), numbers + first * D,
           (size_t)(count * D) * sizeof *numbers);
    memcpy(heed_instance_input(instance, "k", NULL), numbers + QUERIES * D,
           sizeof(float) * KEYS * D);
    memcpy(heed_instance_input(instance, "v", NULL), numbers + (QUERIES + KEYS) * D,
           sizeof(float) * KEYS * D);
    ok(heed_instance_run(context, instance));
    memcpy(y, heed_instance_output(instance, "y", NULL), (size_t)(count * D) * sizeof *y);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
}

static void one_query_has_the_bits_of_a_block(void **state) {
    static float numbers[(QUERIES + 2 * KEYS) * D], block[QUERIES * D], alone[3 * D];
    struct heed_executor *executor = open_device();
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        bits = bits * 1664525u + 1013904223u;
        numbers[i] = (float)(bits >> 8) * 0x1p-23f - 1.0f;
    }
    run_queries(executor, numbers, 0, QUERIES, block);
    for (int64_t first = 0; first < QUERIES; first += 3)
        for (int64_t count = 1; count <= 3; count += 2) {
            run_queries(executor, numbers, first, count, alone);
            assert_memory_equal(alone, block + first * D, (size_t)(count * D) * sizeof *alone);
        }
    heed_executor_release(executor);
    heed_context_destroy(context);
}

static void every_form(void **state) {
    struct heed_executor *executor = open_device();
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        run_form(executor, &forms[i]);
    heed_executor_release(executor);
    heed_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_form),
                                       cmocka_unit_test(one_query_has_the_bits_of_a_block)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
