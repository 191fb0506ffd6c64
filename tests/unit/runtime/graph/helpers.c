/* SPDX-License-Identifier: Apache-2.0 */
/* The functions for single operators: each adds the node that its arguments describe, and leaves
 * what is wrong with them to heed_graph_add(). */
#include "graph_test.h"

static const struct heedi_node *last_node(enum heed_op op) {
    const struct heedi_node *node = &graph->nodes[graph->node_count - 1];
    assert_true(graph->node_count > 0);
    assert_int_equal(node->op, op);
    return node;
}

static void assert_inputs(const struct heedi_node *node, uint32_t count,
                          const heed_tensor *inputs) {
    assert_int_equal(node->input_count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(node->inputs[i], inputs[i]);
}
#define INPUTS(...)                                                                                \
    (uint32_t)(sizeof((const heed_tensor[]){__VA_ARGS__}) / sizeof(heed_tensor)),                  \
        (const heed_tensor[]) {                                                                    \
        __VA_ARGS__                                                                                \
    }

static void test_products(void **state) {
    heed_tensor y = HEED_NO_TENSOR;
    (void)state;
    const heed_tensor x = input("x", HEED_F16, DIMS(5, 3)), w = input("w", HEED_F32, DIMS(4, 3));
    const heed_tensor bias = input("bias", HEED_F32, DIMS(4)), z = input("z", HEED_F32, DIMS(3, 6));
    assert_ok(heed_graph_linear(graph, "linear", x, w, bias, HEED_ACTIVATION_GELU_TANH, &y));
    assert_shape(y, HEED_F16, DIMS(5, 4));
    const struct heedi_node *node = last_node(HEED_OP_MATMUL);
    const struct heed_matmul_attrs *attrs = node->attrs;
    assert_inputs(node, INPUTS(x, w, bias));
    assert_int_equal(attrs->transpose_b, 1);
    assert_int_equal(attrs->transpose_a, 0);
    assert_int_equal(attrs->activation, HEED_ACTIVATION_GELU_TANH);
    assert_ok(heed_graph_linear(graph, NULL, x, w, HEED_NO_TENSOR, HEED_ACTIVATION_NONE, &y));
    assert_inputs(last_node(HEED_OP_MATMUL), INPUTS(x, w, HEED_NO_TENSOR));
    assert_ok(heed_graph_matmul(graph, "plain", x, z, NULL, &y));
    assert_shape(y, HEED_F16, DIMS(5, 6));
    const struct heed_matmul_attrs wide = {
        .struct_size = (uint32_t)sizeof wide, .transpose_b = 1, .out_dtype = HEED_F32};
    assert_ok(heed_graph_matmul(graph, "wide", x, w, &wide, &y));
    assert_shape(y, HEED_F32, DIMS(5, 4));
    assert_inputs(last_node(HEED_OP_MATMUL), INPUTS(x, w));
}

static void test_attention(void **state) {
    struct heed_attention_attrs attrs = {.struct_size = (uint32_t)sizeof attrs, .causal = 1};
    heed_tensor inputs[HEED_ATTENTION_INPUTS], y = HEED_NO_TENSOR, weights = 77;
    (void)state;
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    inputs[0] = input("q", HEED_F32, DIMS(1, 2, 3, 4));
    inputs[1] = inputs[2] = input("kv", HEED_F32, DIMS(1, 2, 5, 4));
    assert_ok(heed_graph_attention(graph, "a", inputs, &attrs, &y, NULL));
    assert_shape(y, HEED_F32, DIMS(1, 2, 3, 4));
    assert_inputs(last_node(HEED_OP_ATTENTION), HEED_ATTENTION_INPUTS, inputs);
    assert_ok(heed_graph_attention(graph, "a", inputs, &attrs, &y, &weights));
    assert_int_equal(weights, HEED_NO_TENSOR); /* not asked for */
    attrs.return_weights = 1;
    assert_ok(heed_graph_attention(graph, "a", inputs, &attrs, NULL, &weights));
    assert_shape(weights, HEED_F32, DIMS(1, 2, 3, 5));
    assert_refused(heed_graph_attention(graph, "a", NULL, &attrs, &y, NULL),
                   HEED_ERROR_INVALID_ARGUMENT, "attention: needs inputs");
    inputs[0] = input("q", HEED_F32, DIMS(1, 2, 3, 4));
    inputs[1] = inputs[2] = input("kv", HEED_F32, DIMS(1, 2, 5, 4));
    assert_refused(heed_graph_attention(graph, "a", inputs, NULL, &y, NULL),
                   HEED_ERROR_INVALID_ARGUMENT, "attention a: attributes are missing");
}

static void test_rows(void **state) {
    const struct heed_positions_attrs places = {
        .struct_size = (uint32_t)sizeof places, .width = 6, .max_len = 9};
    heed_tensor y = HEED_NO_TENSOR, values = HEED_NO_TENSOR, indices = HEED_NO_TENSOR;
    (void)state;
    const heed_tensor x = input("x", HEED_F16, DIMS(5, 3)), ids = input("ids", HEED_I32, DIMS(7));
    const heed_tensor gamma = input("gamma", HEED_F32, DIMS(3));
    const heed_tensor beta = input("beta", HEED_F32, DIMS(3));
    assert_ok(heed_graph_layer_norm(graph, NULL, x, gamma, beta, 0.5f, &y));
    assert_inputs(last_node(HEED_OP_LAYER_NORM), INPUTS(x, gamma, beta));
    const struct heed_layer_norm_attrs *norm = last_node(HEED_OP_LAYER_NORM)->attrs;
    assert_true(norm->eps == 0.5f);
    assert_ok(heed_graph_embedding(graph, NULL, x, ids, &y));
    assert_shape(y, HEED_F32, DIMS(7, 3));
    assert_ok(heed_graph_binary(graph, HEED_OP_GATHER_ROWS, NULL, x, ids, &y));
    assert_shape(y, HEED_F16, DIMS(7, 3));
    assert_ok(heed_graph_positions(graph, NULL, ids, &places, &y));
    assert_shape(y, HEED_F32, DIMS(7, 6));
    assert_ok(heed_graph_top_k(graph, NULL, x, 2, &values, NULL));
    assert_shape(values, HEED_F16, DIMS(5, 2));
    assert_ok(heed_graph_top_k(graph, NULL, x, 2, NULL, &indices));
    assert_shape(indices, HEED_I32, DIMS(5, 2));
    assert_int_equal(indices, values + 3); /* the second output of the second node */
    assert_refused(heed_graph_positions(graph, "p", ids, NULL, &y), HEED_ERROR_INVALID_ARGUMENT,
                   "positions p: attributes are missing");
}

static void test_elementwise(void **state) {
    heed_tensor y = HEED_NO_TENSOR;
    (void)state;
    const heed_tensor x = input("x", HEED_F16, DIMS(2)), z = input("z", HEED_F32, DIMS(3, 1));
    static const enum heed_op unary[] = {HEED_OP_SOFTMAX, HEED_OP_LOG_SOFTMAX, HEED_OP_RELU,
                                         HEED_OP_SILU,    HEED_OP_TANH,        HEED_OP_SIGMOID,
                                         HEED_OP_COPY,    HEED_OP_ARGMAX};
    for (size_t i = 0; i < sizeof unary / sizeof *unary; i++) {
        assert_ok(heed_graph_unary(graph, unary[i], NULL, x, &y));
        assert_inputs(last_node(unary[i]), INPUTS(x));
    }
    assert_ok(heed_graph_binary(graph, HEED_OP_ADD, NULL, x, z, &y));
    assert_inputs(last_node(HEED_OP_ADD), INPUTS(x, z));
    assert_shape(y, HEED_F16, DIMS(3, 2));
    assert_ok(heed_graph_binary(graph, HEED_OP_MUL, NULL, z, x, &y));
    assert_shape(y, HEED_F32, DIMS(3, 2));
    assert_ok(heed_graph_scale(graph, NULL, x, -2, &y));
    const struct heed_scale_attrs *scale = last_node(HEED_OP_SCALE)->attrs;
    assert_true(scale->factor == -2);
    for (int form = 0; form < 3; form++) { /* any true value */
        assert_ok(heed_graph_gelu(graph, NULL, x, form, &y));
        const struct heed_gelu_attrs *gelu = last_node(HEED_OP_GELU)->attrs;
        assert_int_equal(gelu->tanh_form, form > 0);
    }
    assert_ok(heed_graph_cast(graph, NULL, x, HEED_I8, &y));
    assert_shape(y, HEED_I8, DIMS(2));
    assert_refused(heed_graph_cast(graph, "c", x, (enum heed_dtype) - 1, &y),
                   HEED_ERROR_INVALID_ARGUMENT, "cast c: ");
}

static void test_moves(void **state) {
    heed_tensor y = HEED_NO_TENSOR;
    (void)state;
    const heed_tensor x = input("x", HEED_I8, DIMS(2, 3, 4));
    const heed_tensor three[] = {x, x, x};
    assert_ok(heed_graph_concat(graph, NULL, three, 3, 1, &y));
    assert_shape(y, HEED_I8, DIMS(2, 9, 4));
    assert_ok(heed_graph_slice(graph, NULL, x, (const int64_t[]){1, 0, 2},
                               (const int64_t[]){1, 3, 2}, &y));
    assert_shape(y, HEED_I8, DIMS(1, 3, 2));
    assert_int_equal(graph->tensors[y].offset_elems, 14);
    assert_ok(heed_graph_transpose(graph, NULL, x, (const uint32_t[]){2, 0, 1}, &y));
    assert_shape(y, HEED_I8, DIMS(4, 2, 3));
    assert_ok(heed_graph_reshape(graph, NULL, x, DIMS(6, -1), &y));
    assert_shape(y, HEED_I8, DIMS(6, 4));
    assert_ok(heed_graph_broadcast(graph, NULL, x, DIMS(5, 2, 3, 4), &y));
    assert_shape(y, HEED_I8, DIMS(5, 2, 3, 4));
    const heed_tensor row = input("row", HEED_F32, DIMS(5));
    assert_ok(heed_graph_slice(graph, NULL, row, (const int64_t[]){3}, (const int64_t[]){2}, &y));
    assert_shape(y, HEED_F32, DIMS(2));
    assert_int_equal(graph->tensors[y].offset_elems, 3);
    assert_ok(heed_graph_transpose(graph, NULL, row, (const uint32_t[]){0}, &y));
    const struct heed_transpose_attrs *order = last_node(HEED_OP_TRANSPOSE)->attrs;
    assert_int_equal(order->perm[0], 0);
    const heed_tensor scalar = input("scalar", HEED_F32, 0, NULL); /* needs no arrays */
    assert_ok(heed_graph_slice(graph, NULL, scalar, NULL, NULL, &y));
    assert_ok(heed_graph_transpose(graph, NULL, scalar, NULL, &y));
    assert_ok(heed_graph_reshape(graph, NULL, scalar, 0, NULL, &y));
    assert_ok(heed_graph_broadcast(graph, NULL, scalar, 0, NULL, &y));
}

static void test_missing_arrays(void **state) {
    static const char words[] = "m: attributes are missing";
    static const int64_t some[] = {1, 1};
    const enum heed_status invalid = HEED_ERROR_INVALID_ARGUMENT;
    heed_tensor y;
    (void)state;
    heed_tensor x = input("x", HEED_F32, DIMS(2, 3));
    assert_refused(heed_graph_slice(graph, "m", x, NULL, some, &y), invalid, words);
    x = input("x", HEED_F32, DIMS(2, 3));
    assert_refused(heed_graph_slice(graph, "m", x, some, NULL, &y), invalid, words);
    x = input("x", HEED_F32, DIMS(2, 3));
    assert_refused(heed_graph_transpose(graph, "m", x, NULL, &y), invalid, words);
    x = input("x", HEED_F32, DIMS(2, 3));
    assert_refused(heed_graph_reshape(graph, "m", x, 2, NULL, &y), invalid, words);
    x = input("x", HEED_F32, DIMS(2, 3));
    assert_refused(heed_graph_broadcast(graph, "m", x, 2, NULL, &y), invalid, words);
    assert_refused(heed_graph_concat(graph, "m", NULL, 2, 0, &y), invalid, "concat: needs inputs");
}

/* Shapes that are too long, and tensors that do not exist, go through to the operator. */
static void test_passed_on(void **state) {
    static const int64_t five[] = {1, 1, 1, 1, 6};
    static const uint32_t perm[] = {0, 1};
    const enum heed_status invalid = HEED_ERROR_INVALID_ARGUMENT;
    heed_tensor y;
    (void)state;
    heed_tensor x = input("x", HEED_F32, DIMS(6));
    assert_refused(heed_graph_reshape(graph, "m", x, 5, five, &y), HEED_ERROR_SHAPE, "reshape m: ");
    x = input("x", HEED_F32, DIMS(6));
    assert_refused(heed_graph_broadcast(graph, "m", x, 5, five, &y), HEED_ERROR_SHAPE,
                   "broadcast m: ");
    assert_refused(heed_graph_slice(graph, "m", 3, five, five, &y), invalid,
                   "m: input 0 is tensor 3, the graph has 0");
    assert_refused(heed_graph_slice(graph, "m", 3, NULL, NULL, &y), invalid,
                   "m: input 0 is tensor 3, the graph has 0");
    assert_refused(heed_graph_transpose(graph, "m", -2, perm, &y), invalid,
                   "m: input 0 is tensor -2, the graph has 0");
    assert_refused(heed_graph_slice(graph, "m", HEED_NO_TENSOR, five, five, &y), invalid,
                   "slice m: input 0 is missing");
}

static void test_cache_append(void **state) {
    heed_tensor cache = HEED_NO_TENSOR, next = HEED_NO_TENSOR;
    (void)state;
    const heed_tensor x = input("x", HEED_F16, DIMS(1, 2, 3)), at = input("at", HEED_I32, DIMS(1));
    assert_ok(heed_graph_state(graph, "kv", HEED_F32, DIMS(4, 9, 3), &cache));
    assert_ok(heed_graph_cache_append(graph, "append", cache, x, at, at, &next));
    assert_inputs(last_node(HEED_OP_CACHE_APPEND), INPUTS(cache, x, at, at));
    assert_shape(next, HEED_F32, DIMS(4, 9, 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        graph_test(test_products),  graph_test(test_attention),
        graph_test(test_rows),      graph_test(test_elementwise),
        graph_test(test_moves),     graph_test(test_missing_arrays),
        graph_test(test_passed_on), graph_test(test_cache_append),
    };
    return cmocka_run_group_tests_name("helpers", tests, NULL, NULL);
}
