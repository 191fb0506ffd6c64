/* SPDX-License-Identifier: Apache-2.0 */
/* Where the host does not write device memory, large weights and states go through a ring of
 * staging memory in pieces: all arrives, in its place, by more pieces than the ring has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"

/* 21.6 MB: five pieces of 4 MB and a part, and then from the first slot on again */
enum { ROWS = 45000, N = 120, IDS = 45 };

static struct heed_context *context;

static void ok(enum heed_status status) {
    if (status != HEED_OK)
        fail_msg("%s: %s", heed_status_name(status), heed_last_error(context));
}

/* Another number for each element, exact in f32. */
static float value_of(size_t i) {
    return (float)((i * 2654435761u) & 0xffffff);
}

static float *make_values(void) {
    float *values = malloc(ROWS * N * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < ROWS * N; i++)
        values[i] = value_of(i);
    return values;
}

static int set_up(void **state) {
    struct heed_executor *executor = NULL;
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "vulkan,only", .plugin_path = HEED_TEST_PLUGINS};
    ok(heed_context_create(NULL, &context));
    assert_int_equal(setenv("HEED_VULKAN_LIMITS", "unified=0", 1), 0);
    if (heed_executor_create(context, &options, &executor) != HEED_OK)
        print_message("SKIP: the vulkan plugin was not built, or has no device\n");
    *state = executor;
    return 0;
}

static int tear_down(void **state) {
    (void)unsetenv("HEED_VULKAN_LIMITS");
    heed_executor_release(*state);
    heed_context_destroy(context);
    return 0;
}

static void weights_arrive(void **state) {
    const int64_t table_dims[] = {ROWS, N}, ids_dims[] = {IDS};
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, 2, table_dims);
    const struct heed_embedding_attrs attrs = {.struct_size = sizeof attrs};
    struct heed_executor *executor = *state;
    struct heed_weight *weight = NULL;
    struct heed_graph *graph = NULL;
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    heed_tensor ids, table, rows;
    if (executor == NULL)
        skip();
    float *values = make_values();
    ok(heed_graph_create(context, "staging", &graph));
    ok(heed_weight_create(context, "w", &desc, values, NULL, NULL, &weight));
    heed_graph_input(graph, "ids", HEED_I32, 1, ids_dims, 0, &ids);
    heed_graph_constant(graph, weight, &table);
    heed_graph_add(graph, HEED_OP_EMBEDDING, "rows", (const heed_tensor[]){table, ids}, 2, &attrs,
                   &rows);
    heed_graph_output(graph, "rows", rows);
    ok(heed_graph_freeze(graph));
    ok(heed_program_compile(context, executor, graph, &program));
    ok(heed_instance_create(context, program, &instance));
    int32_t *wanted = heed_instance_input(instance, "ids", NULL);
    for (int i = 0; i < IDS; i++)
        wanted[i] = i * (ROWS - 1) / (IDS - 1);
    ok(heed_instance_run(context, instance));
    const float *found = heed_instance_output(instance, "rows", NULL);
    for (int i = 0; i < IDS; i++)
        assert_memory_equal(found + i * N, values + (size_t)wanted[i] * N, N * sizeof *found);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_weight_release(weight);
    free(values);
}

static void states_are_written_and_read(void **state) {
    const int64_t table_dims[] = {ROWS, N}, ids_dims[] = {IDS};
    const struct heed_embedding_attrs attrs = {.struct_size = sizeof attrs};
    const size_t bytes = ROWS * N * sizeof(float), offset = 4 * N;
    struct heed_executor *executor = *state;
    struct heed_graph *graph = NULL;
    struct heed_program *program = NULL;
    struct heed_state *table_state = NULL;
    heed_tensor ids, table, rows;
    if (executor == NULL)
        skip();
    float *values = make_values(), *found = malloc(bytes);
    assert_non_null(found);
    ok(heed_graph_create(context, "staging", &graph));
    heed_graph_input(graph, "ids", HEED_I32, 1, ids_dims, 0, &ids);
    heed_graph_state(graph, "table", HEED_F32, 2, table_dims, &table);
    heed_graph_add(graph, HEED_OP_EMBEDDING, "rows", (const heed_tensor[]){table, ids}, 2, &attrs,
                   &rows);
    heed_graph_output(graph, "rows", rows);
    ok(heed_graph_freeze(graph));
    ok(heed_program_compile(context, executor, graph, &program));
    ok(heed_state_create(context, program, "table", &table_state));
    memset(found, 0xff, bytes);
    ok(heed_state_read(context, table_state, 0, found, bytes));
    for (size_t i = 0; i < ROWS * N; i++)
        assert_true(found[i] == 0.0f);
    ok(heed_state_write(context, table_state, offset, values, bytes - offset));
    ok(heed_state_read(context, table_state, offset, found, bytes - offset));
    assert_memory_equal(found, values, bytes - offset);
    ok(heed_state_read(context, table_state, 0, found, offset));
    for (size_t i = 0; i < N; i++)
        assert_true(found[i] == 0.0f);
    heed_state_destroy(table_state);
    heed_program_release(program);
    heed_graph_release(graph);
    free(values);
    free(found);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(weights_arrive),
                                       cmocka_unit_test(states_are_written_and_read)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
