/* SPDX-License-Identifier: Apache-2.0 */
/* The Vulkan backend looks up words and positions of a decoder's step in one dispatch, with the
 * bits that the nodes give alone, as they must be computed when what lies between them is an
 * output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "runtime/check/case.h"
#include "tests/support/device.h"

enum { M = 37, WORDS = 50, WIDTH = 96, PLACES = 20 };

static const struct support_device *device;

struct form {
    enum heed_dtype table;
    bool scaled, swapped; /* a factor; positions are the first operand of the sum */
};

static heed_tensor table(struct heed_graph *graph, enum heed_dtype dtype) {
    static float memory[WORDS * WIDTH];
    const int64_t dims[] = {WORDS, WIDTH};
    const struct heed_tensor_desc desc = heed_desc(dtype, 2, dims);
    struct heed_weight *weight = NULL;
    heed_tensor tensor = HEED_NO_TENSOR;
    uint32_t bits = 5;
    for (int64_t i = 0; i < WORDS * WIDTH; i++) {
        bits = bits * 1664525u + 1013904223u;
        heedi_store(memory, dtype, i, (double)(bits >> 8) * 0x1p-23 - 1.0);
    }
    support_ok(device->context,
               heed_weight_create(device->context, "table", &desc, memory, NULL, NULL, &weight));
    heed_graph_constant(graph, weight, &tensor);
    heed_weight_release(weight);
    return tensor;
}

/* Row `index` of a table of i32. */
static heed_tensor row_of(struct heed_graph *graph, heed_tensor rows, int64_t index) {
    const int64_t begin[] = {index, 0}, size[] = {1, M}, count = M;
    heed_tensor row = HEED_NO_TENSOR;
    heed_graph_slice(graph, NULL, rows, begin, size, &row);
    heed_graph_reshape(graph, NULL, row, 1, &count, &row);
    return row;
}

/* `open` makes outputs of words and vectors. */
static struct heed_graph *build(const struct form *form, bool open) {
    const struct heed_positions_attrs attrs = {.struct_size = sizeof attrs,
                                               .form = HEED_POSITIONS_HALVES,
                                               .width = WIDTH,
                                               .max_len = PLACES};
    const int64_t dims[] = {3, M};
    struct heed_graph *graph = NULL;
    heed_tensor rows, words, vectors, y;
    support_ok(device->context, heed_graph_create(device->context, "embedding", &graph));
    heed_graph_input(graph, "rows", HEED_I32, 2, dims, 0, &rows);
    heed_graph_embedding(graph, NULL, table(graph, form->table), row_of(graph, rows, 0), &words);
    if (form->scaled)
        heed_graph_scale(graph, NULL, words, 11.3137085f, &words);
    heed_graph_positions(graph, NULL, row_of(graph, rows, 2), &attrs, &vectors);
    heed_graph_binary(graph, HEED_OP_ADD, NULL, form->swapped ? vectors : words,
                      form->swapped ? words : vectors, &y);
    heed_graph_output(graph, "y", y);
    if (open) {
        heed_graph_output(graph, "words", words);
        heed_graph_output(graph, "vectors", vectors);
    }
    support_ok(device->context, heed_graph_freeze(graph));
    return graph;
}

/* How many entries the profile has. Some ids and places are outside. */
static uint64_t run(const struct form *form, bool open, float y[M * WIDTH]) {
    struct heed_graph *graph = build(form, open);
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    support_ok(device->context,
               heed_program_compile(device->context, device->executor, graph, &program));
    support_ok(device->context, heed_instance_create(device->context, program, &instance));
    support_ok(device->context, heed_profile_create(device->context, &profile));
    heed_instance_set_profile(instance, profile);
    int32_t *rows = heed_instance_input(instance, "rows", NULL);
    for (int32_t i = 0; i < M; i++) {
        rows[i] = i == 5 ? WORDS : i == 6 ? -1 : i * 7 % WORDS;
        rows[M + i] = -7;
        rows[2 * M + i] = i * 3 % (PLACES + 2);
    }
    support_ok(device->context, heed_instance_run(device->context, instance));
    memcpy(y, heed_instance_output(instance, "y", NULL), M * WIDTH * sizeof *y);
    const uint64_t entries = support_profile_runs(profile);
    heed_instance_destroy(instance);
    heed_profile_destroy(profile);
    heed_program_release(program);
    heed_graph_release(graph);
    return entries;
}

static void same_bits_in_one_dispatch(void **state) {
    static const struct form forms[] = {{HEED_F32, true, false},
                                        {HEED_F32, false, true},
                                        {HEED_F16, true, true},
                                        {HEED_BF16, false, false}};
    static float fused[M * WIDTH], open[M * WIDTH];
    (void)state;
    support_need_device(device);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        assert_int_equal(run(&forms[i], true, open), forms[i].scaled ? 4 : 3);
        assert_int_equal(run(&forms[i], false, fused), 1);
        assert_memory_equal(fused, open, sizeof fused);
        assert_true(fused[WIDTH] != fused[2 * WIDTH]);
    }
}

static int setup(void **state) {
    const int failed = support_device_setup(state);
    device = *state;
    return failed;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits_in_one_dispatch)};
    return cmocka_run_group_tests(tests, setup, support_device_teardown);
}
