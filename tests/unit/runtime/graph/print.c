/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs as text. */
#include "graph_test.h"

static void assert_prints(const struct heed_graph *it, const char *expected) {
    char text[4096];
    FILE *stream = tmpfile();
    assert_non_null(stream);
    heedi_graph_print(it, stream);
    rewind(stream);
    text[fread(text, 1, sizeof text - 1, stream)] = '\0';
    fclose(stream);
    assert_string_equal(text, expected);
}

static void test_empty(void **state) {
    (void)state;
    assert_prints(graph, "graph g\n");
    assert_ok(heed_graph_freeze(graph));
    assert_prints(graph, "graph g\n");
}

/* Every kind of leaf, an absent input, two outputs, views, names of results, and no dead node. */
static void test_lines(void **state) {
    static const float values[6];
    const struct heed_tensor_desc desc = heed_desc(HEED_F16, DIMS(2, 3));
    struct heed_weight *weight = NULL;
    heed_tensor cache = HEED_NO_TENSOR, w = HEED_NO_TENSOR, y = HEED_NO_TENSOR, top[2];
    (void)state;
    assert_ok(heed_weight_create(context, "w", &desc, values, NULL, NULL, &weight));
    const heed_tensor x = input("x", HEED_F32, DIMS(1, 2, 3)), at = input("at", HEED_I32, DIMS(1));
    assert_ok(heed_graph_state(graph, "kv", HEED_BF16, DIMS(1, 8, 3), &cache));
    assert_ok(heed_graph_constant(graph, weight, &w));
    heed_weight_release(weight);
    assert_ok(heed_graph_cache_append(graph, "append", cache, x, at, HEED_NO_TENSOR, &cache));
    relu("dead", x);
    assert_ok(heed_graph_linear(graph, NULL, x, w, HEED_NO_TENSOR, HEED_ACTIVATION_NONE, &y));
    assert_ok(heed_graph_reshape(graph, "flat", y, DIMS(4), &y));
    assert_ok(heed_graph_top_k(graph, "top", y, 2, &top[0], &top[1]));
    assert_ok(heed_graph_output(graph, "values", top[0]));
    assert_ok(heed_graph_output(graph, "indices", top[1]));
    assert_ok(heed_graph_freeze(graph));
    assert_prints(graph, "graph g\n"
                         "  input x: %0 f32 [1, 2, 3]\n"
                         "  input at: %1 i32 [1]\n"
                         "  state kv: %2 bf16 [1, 8, 3]\n"
                         "  constant w: %3 f16 [2, 3]\n"
                         "  cache_append append: %2 bf16 [1, 8, 3] %0 f32 [1, 2, 3] %1 i32 [1] - ->"
                         " %4 bf16 [1, 8, 3]\n"
                         "  matmul matmul.2: %0 f32 [1, 2, 3] %3 f16 [2, 3] - ->"
                         " %6 f32 [1, 2, 2]\n"
                         "  reshape flat: %6 f32 [1, 2, 2] ~> %7 f32 [4]\n"
                         "  top_k top: %7 f32 [4] -> %8 f32 [2] => values %9 i32 [2] => indices\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {graph_test(test_empty), graph_test(test_lines)};
    return cmocka_run_group_tests_name("print", tests, NULL, NULL);
}
