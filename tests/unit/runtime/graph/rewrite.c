/* SPDX-License-Identifier: Apache-2.0 */
/* Rewriting: composites become simpler nodes, inputs become contiguous, and the numbers stay. */
#include "graph_test.h"

#include <math.h>

#include "runtime/ops/op.h"
#include "tests/support/evaluate.h"

static struct heed_graph *rewrite(const unsigned char *lower, const uint32_t *contiguous) {
    struct heed_graph *made = NULL;
    assert_ok(heedi_graph_rewrite(context, graph, lower, contiguous, &made));
    assert_true(made->frozen);
    return made;
}

/* Both graphs have the same results, to `tolerance`. */
static void assert_same(const struct heed_graph *other, const void *const *inputs,
                        double tolerance) {
    struct evaluation a, b;
    int outputs = 0;
    evaluate_begin(&a, graph, inputs);
    evaluate_begin(&b, other, inputs);
    for (int32_t i = 0; i < graph->tensor_count; i++) {
        const struct heedi_tensor *tensor = &graph->tensors[i];
        if (tensor->output_name == NULL)
            continue;
        const heed_tensor y = evaluate_find(other, tensor->output_name);
        assert_memory_equal(&other->tensors[y].desc, &tensor->desc, sizeof tensor->desc);
        for (int64_t e = 0; e < heed_desc_elems(&tensor->desc); e++) {
            const double expected = evaluate_element(&a, i, e), actual = evaluate_element(&b, y, e);
            if (!(fabs(actual - expected) <= tolerance))
                fail_msg("%s, element %d: %g, expected %g", tensor->output_name, (int)e, actual,
                         expected);
        }
        outputs++;
    }
    assert_true(outputs > 0);
    evaluate_end(&a);
    evaluate_end(&b);
}

/* x [1, 2, 3] through a linear layer with silu, attention over a state that it is appended to,
 * positions and argmax; with a dead node and a bound. */
static const float x_values[6] = {1, -2, 0.5f, 3, 0.25f, -1};
static const int32_t at_values[1] = {1};
static const float w_values[9] = {1, 0.5f, -1, 2, 0, 1, -0.5f, 1, 1};
static const void *const layer_inputs[] = {x_values, at_values};
enum { APPEND, DEAD, LINEAR, SPLIT_Q, SPLIT_K, MIX, PLACES, BEST, MERGE, LAYER_NODES };

static void build_layer(void) {
    const struct heed_positions_attrs places = {
        .struct_size = (uint32_t)sizeof places, .width = 4, .max_len = 8};
    const struct heed_attention_attrs mix = {.struct_size = (uint32_t)sizeof mix,
                                             .return_weights = 1};
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, DIMS(3, 3));
    heed_tensor at, cache, w, y, z, inputs[HEED_ATTENTION_INPUTS];
    struct heed_weight *weight = NULL;
    assert_ok(heed_weight_create(context, "w", &desc, w_values, NULL, NULL, &weight));
    const heed_tensor x = input("x", HEED_F32, DIMS(1, 2, 3));
    heed_graph_input(graph, "at", HEED_I32, DIMS(1), 8, &at);
    heed_graph_state(graph, "cache", HEED_F32, DIMS(1, 4, 3), &cache);
    heed_graph_constant(graph, weight, &w);
    heed_weight_release(weight);
    heed_graph_scope(graph, "layer.");
    heed_graph_cache_append(graph, "append", cache, x, at, HEED_NO_TENSOR, &cache);
    relu("dead", x);
    heed_graph_linear(graph, "linear", x, w, HEED_NO_TENSOR, HEED_ACTIVATION_SILU, &y);
    heed_graph_output(graph, "linear", y);
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    heed_graph_reshape(graph, "split", y, DIMS(1, 1, 2, 3), &inputs[0]);
    heed_graph_reshape(graph, "split", cache, DIMS(1, 1, 4, 3), &inputs[1]);
    inputs[2] = inputs[1];
    heed_graph_attention(graph, "mix", inputs, &mix, &y, &z);
    heed_graph_output(graph, "weights", z);
    heed_graph_positions(graph, "places", at, &places, &z);
    heed_graph_output(graph, "places", z);
    heed_graph_unary(graph, HEED_OP_ARGMAX, "best", y, &z);
    heed_graph_output(graph, "best", z);
    heed_graph_reshape(graph, "merge", y, DIMS(2, 3), &y);
    heed_graph_output(graph, "y", y);
    assert_ok(heed_graph_freeze(graph));
    assert_int_equal(graph->node_count, LAYER_NODES + 1); /* a copy makes the last a result */
}

static void test_unchanged(void **state) {
    (void)state;
    build_layer();
    struct heed_graph *made = rewrite(NULL, NULL);
    assert_string_equal(made->name, graph->name);
    assert_int_equal(made->node_count, graph->node_count - 1); /* without the dead one */
    for (int32_t n = 0, m = 0; n < graph->node_count; n++) {
        if (n == DEAD)
            continue;
        assert_int_equal(made->nodes[m].op, graph->nodes[n].op);
        assert_string_equal(made->nodes[m].name, graph->nodes[n].name);
        assert_int_equal(made->nodes[m].origin, n);
        m++;
    }
    int leaves = 0;
    for (int32_t i = 0; i < made->tensor_count; i++) {
        leaves += made->tensors[i].kind != HEEDI_TENSOR_NODE;
        if (made->tensors[i].kind == HEEDI_TENSOR_INPUT)
            assert_int_equal(made->tensors[i].bound, made->tensors[i].desc.rank == 1 ? 8 : 0);
    }
    assert_int_equal(leaves, 4);
    assert_same(made, layer_inputs, 0);
    heed_graph_release(made);
}

/* Each composite alone, then all at once. */
static void test_lowering(void **state) {
    static const int composite[] = {LINEAR, MIX, PLACES, BEST, -1};
    (void)state;
    build_layer();
    for (int i = 0; i < 5; i++) {
        unsigned char lower[LAYER_NODES + 1] = {0};
        for (int all = 0; all < 4; all++)
            if (composite[i] < 0 || composite[i] == composite[all])
                lower[composite[all]] = 1;
        struct heed_graph *made = rewrite(lower, NULL);
        int derived = 0;
        for (int32_t n = 0; n < made->node_count; n++) {
            const struct heedi_node *node = &made->nodes[n];
            const char *origin = graph->nodes[node->origin].name;
            if (!lower[node->origin])
                continue;
            /* "layer.mix/softmax"; a result that is now a view has a copy with a made-up name */
            if (strncmp(node->name, origin, strlen(origin)) == 0) {
                assert_int_equal(node->name[strlen(origin)], '/');
                derived++;
            } else {
                assert_int_equal(node->op, HEED_OP_COPY);
            }
        }
        assert_true(derived >= (composite[i] < 0 ? 7 : 1));
        assert_same(made, layer_inputs, 1e-6);
        heed_graph_release(made);
    }
}

/* What a rewritten graph still has of composites (silu, from the linear layer) is lowered in turn;
 * its nodes still name those that the user built. */
static void test_twice(void **state) {
    unsigned char lower[LAYER_NODES + 1] = {0};
    (void)state;
    build_layer();
    lower[LINEAR] = 1;
    struct heed_graph *once = rewrite(lower, NULL);
    struct heed_graph *twice = evaluate_lowered(context, once, HEED_OP_SILU);
    int parts = 0;
    for (int32_t n = 0; n < twice->node_count; n++)
        if (twice->nodes[n].origin == LINEAR)
            parts++;
    assert_int_equal(parts, 3); /* product, sigmoid, mul */
    assert_same(twice, layer_inputs, 1e-6);
    heed_graph_release(once);
    assert_same(twice, layer_inputs, 1e-6); /* it stands alone */
    heed_graph_release(twice);
}

static void test_contiguous(void **state) {
    static const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {10, 20, 30, 40, 50, 60};
    const void *const inputs[] = {a, b};
    uint32_t contiguous[3] = {0};
    heed_tensor y;
    (void)state;
    const heed_tensor left = input("a", HEED_F32, DIMS(2, 3)),
                      right = input("b", HEED_F32, DIMS(3, 2));
    assert_ok(heed_graph_transpose(graph, "t", right, (const uint32_t[]){1, 0}, &y));
    assert_ok(heed_graph_binary(graph, HEED_OP_ADD, "sum", left, y, &y));
    assert_ok(heed_graph_output(graph, "y", y));
    assert_ok(heed_graph_freeze(graph));
    for (uint32_t bits = 0; bits < 4; bits++) {
        contiguous[1] = bits;
        struct heed_graph *made = rewrite(NULL, contiguous);
        const struct heedi_node *sum = &made->nodes[made->node_count - 1];
        assert_int_equal(made->node_count, 2 + (bits & 1u) + (bits >> 1));
        assert_string_equal(sum->name, "sum");
        for (uint32_t i = 0; i < 2; i++) {
            const struct heedi_tensor *given = &made->tensors[sum->inputs[i]];
            const bool copied =
                given->producer >= 0 && made->nodes[given->producer].op == HEED_OP_COPY;
            assert_int_equal(copied, bits >> i & 1u);
            if (copied) {
                assert_true(heed_desc_contiguous(&given->desc));
                assert_int_equal(made->nodes[given->producer].origin, 1);
            }
        }
        assert_same(made, inputs, 0);
        heed_graph_release(made);
    }
}

static void test_no_lowering(void **state) {
    unsigned char lower[LAYER_NODES + 1] = {0};
    struct heed_graph *made = graph;
    (void)state;
    build_layer();
    lower[DEAD] = 1; /* a dead node is not looked at */
    heed_graph_release(rewrite(lower, NULL));
    lower[APPEND] = 1;
    assert_int_equal(heedi_graph_rewrite(context, graph, lower, NULL, &made),
                     HEED_ERROR_UNSUPPORTED);
    assert_null(made);
    assert_string_equal(heed_last_error(context), "cache_append layer.append: has no lowering");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        graph_test(test_unchanged),  graph_test(test_lowering),    graph_test(test_twice),
        graph_test(test_contiguous), graph_test(test_no_lowering),
    };
    return cmocka_run_group_tests_name("rewrite", tests, NULL, NULL);
}
