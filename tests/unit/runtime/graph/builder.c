/* SPDX-License-Identifier: Apache-2.0 */
/* Building graphs: what is refused, that failures stick, what freezing keeps. */
#include "graph_test.h"

static const float ones[4] = {1, 1, 1, 1};
static int released;

static void count_release(void *user) {
    (void)user;
    released++;
}

static struct heed_weight *weight(const char *name) {
    struct heed_weight *made = NULL;
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, DIMS(2, 2));
    assert_ok(heed_weight_create(context, name, &desc, ones, count_release, NULL, &made));
    return made;
}

static void test_create(void **state) {
    struct heed_graph *made = graph;
    (void)state;
    assert_int_equal(heed_graph_create(context, "x", NULL), HEED_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(heed_last_error(context), "context and graph must not be NULL"));
    assert_int_equal(heed_graph_create(NULL, "x", &made), HEED_ERROR_INVALID_ARGUMENT);
    assert_null(made);
    assert_ok(heed_graph_create(context, NULL, &made));
    assert_string_equal(made->name, "graph");
    heed_graph_release(made);
    heed_graph_release(NULL);
    char name[] = "copied";
    assert_ok(heed_graph_create(context, name, &made));
    name[0] = 'x';
    assert_string_equal(made->name, "copied");
    heed_graph_release(made);
}

/* Inputs and states follow the same rules. */
static enum heed_status leaf(bool state, const char *name, int dtype, uint32_t rank,
                             const int64_t *dims, heed_tensor *tensor) {
    return state ? heed_graph_state(graph, name, (enum heed_dtype)dtype, rank, dims, tensor)
                 : heed_graph_input(graph, name, (enum heed_dtype)dtype, rank, dims, 0, tensor);
}

static void test_leaves(void **unused) {
    const int64_t big = INT64_C(1) << 31;
    heed_tensor x, y;
    (void)unused;
    for (int state = 0; state < 2; state++) {
        const char *needs = state ? "graph g: state needs a name, dims and a place for the result"
                                  : "graph g: input needs a name, dims and a place for the result";
        const char *range = state ? "state x: type" : "input x: type";
        const char *exists = state ? "state x exists already" : "input x exists already";
        const enum heed_status invalid = HEED_ERROR_INVALID_ARGUMENT, shape = HEED_ERROR_SHAPE;
        assert_refused(leaf(state, NULL, HEED_F32, DIMS(1), &x), invalid, needs);
        assert_refused(leaf(state, "", HEED_F32, DIMS(1), &x), invalid, needs);
        assert_refused(leaf(state, "x", HEED_F32, DIMS(1), NULL), invalid, needs);
        assert_refused(leaf(state, "x", HEED_F32, 1, NULL, &x), invalid, needs);
        assert_refused(leaf(state, "x", 0, DIMS(1), &x), shape, range);
        assert_refused(leaf(state, "x", 7, DIMS(1), &x), shape, range);
        assert_refused(leaf(state, "x", HEED_Q8_0, DIMS(1), &x), shape,
                       "x: only constants may be q8_0");
        assert_refused(leaf(state, "x", -1, DIMS(1), &x), shape, range);
        assert_refused(leaf(state, "x", HEED_F32, DIMS(1, 1, 1, 1, 1), &x), shape, range);
        assert_refused(leaf(state, "x", HEED_F32, DIMS(2, -1), &x), shape, range);
        assert_refused(leaf(state, "x", HEED_I8, DIMS(big, big, 2), &x), shape, range);
        assert_refused(leaf(state, "x", HEED_F32, DIMS(INT64_MAX), &x), shape, range);
        assert_ok(leaf(state, "x", HEED_F32, DIMS(1), &x));
        assert_refused(leaf(state, "x", HEED_F32, DIMS(2), &y), invalid, exists);
        assert_ok(leaf(state, "scalar", HEED_I8, 0, NULL, &x));
        assert_shape(x, HEED_I8, 0, NULL);
        assert_ok(leaf(state, "empty", HEED_BF16, DIMS(3, 0), &x));
        assert_shape(x, HEED_BF16, DIMS(3, 0));
        assert_ok(leaf(!state, "empty", HEED_BF16, DIMS(1), &x)); /* names of another kind */
        restart();
    }
}

static void test_bound(void **state) {
    heed_tensor x, y;
    (void)state;
    assert_ok(heed_graph_input(graph, "x", HEED_I32, DIMS(2), 512, &x));
    assert_ok(heed_graph_input(graph, "y", HEED_I32, DIMS(2), -1, &y));
    assert_int_equal(graph->tensors[x].bound, 512);
    assert_int_equal(graph->tensors[y].bound, 0);
    heed_tensor view;
    assert_ok(heed_graph_reshape(graph, NULL, x, DIMS(2, 1), &view));
    assert_int_equal(graph->tensors[view].bound, 512); /* a view has the same values */
}

static void test_constants(void **state) {
    heed_tensor a, b, c;
    (void)state;
    assert_refused(heed_graph_constant(graph, NULL, &a), HEED_ERROR_INVALID_ARGUMENT,
                   "constant: weight and tensor must not be NULL");
    released = 0;
    struct heed_weight *w = weight("w"), *other = weight("w");
    assert_refused(heed_graph_constant(graph, w, NULL), HEED_ERROR_INVALID_ARGUMENT,
                   "constant: weight and tensor must not be NULL");
    assert_ok(heed_graph_constant(graph, w, &a));
    assert_ok(heed_graph_constant(graph, w, &b));
    assert_ok(heed_graph_constant(graph, other, &c)); /* a weight is not known by its name */
    assert_int_equal(a, b);
    assert_int_not_equal(a, c);
    assert_shape(a, HEED_F32, DIMS(2, 2));
    heed_weight_release(w);
    heed_weight_release(other);
    assert_int_equal(released, 0); /* the graph holds them */
    assert_ok(heed_graph_freeze(graph));
    struct heed_graph *second = heed_graph_retain(graph);
    heed_graph_release(second);
    assert_int_equal(released, 0);
    restart();
    assert_int_equal(released, 2);
}

static void test_add_arguments(void **state) {
    const enum heed_status invalid = HEED_ERROR_INVALID_ARGUMENT;
    static const int unknown[] = {0, -1, HEED_OP_COUNT_PLUS_ONE, 1000};
    heed_tensor outputs[HEED_MAX_OUTPUTS], inputs[HEED_MAX_INPUTS + 1];
    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        inputs[0] = input("x", HEED_F32, DIMS(2));
        assert_refused(
            heed_graph_add(graph, (enum heed_op)unknown[i], "n", inputs, 1, NULL, outputs), invalid,
            "graph g: unknown operator");
    }
    assert_refused(heed_graph_add(graph, HEED_OP_RELU, "n", NULL, 1, NULL, outputs), invalid,
                   "relu: needs inputs (1 given, at most 9) and a place for outputs");
    inputs[0] = input("x", HEED_F32, DIMS(2));
    assert_refused(heed_graph_add(graph, HEED_OP_RELU, "n", inputs, 1, NULL, NULL), invalid,
                   "relu: needs inputs");
    for (int i = 0; i <= HEED_MAX_INPUTS; i++)
        inputs[i] = 0;
    inputs[0] = input("x", HEED_F32, DIMS(2));
    assert_refused(heed_graph_add(graph, HEED_OP_CONCAT, "n", inputs, 10, NULL, outputs), invalid,
                   "concat: needs inputs (10 given, at most 9)");
    static const heed_tensor foreign[] = {-2, 1, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        inputs[0] = input("x", HEED_F32, DIMS(2));
        inputs[1] = foreign[i];
        assert_refused(heed_graph_add(graph, HEED_OP_ADD, "n", inputs, 2, NULL, outputs), invalid,
                       "n: input 1 is tensor ");
    }
    inputs[0] = HEED_NO_TENSOR;
    assert_refused(heed_graph_add(graph, HEED_OP_RELU, "n", inputs, 1, NULL, outputs), invalid,
                   "relu n: input 0 is missing");
    inputs[0] = input("x", HEED_F32, DIMS(2));
    assert_refused(heed_graph_add(graph, HEED_OP_SCALE, "n", inputs, 1, NULL, outputs), invalid,
                   "scale n: attributes are missing");
}

/* Attribute blocks of older and newer callers. */
static void test_attribute_sizes(void **state) {
    struct {
        struct heed_scale_attrs attrs;
        uint32_t newer;
    } block = {{.struct_size = sizeof block.attrs, .factor = 2}, 0};
    heed_tensor x = input("x", HEED_F32, DIMS(2)), y;
    (void)state;
    assert_ok(heed_graph_add(graph, HEED_OP_SCALE, "n", &x, 1, &block, &y));
    block.attrs.factor = 3; /* the graph has a copy */
    const struct heed_scale_attrs *copy = graph->nodes[0].attrs;
    assert_true(copy->factor == 2);
    assert_int_equal(graph->nodes[0].attrs_size, sizeof *copy);
    block.attrs.struct_size = (uint32_t)sizeof block; /* newer, but asks for nothing new */
    assert_ok(heed_graph_add(graph, HEED_OP_SCALE, "n", &x, 1, &block, &y));
    copy = graph->nodes[1].attrs;
    assert_int_equal(copy->struct_size, sizeof *copy);
    assert_true(copy->factor == 3);
    block.newer = 1;
    assert_refused(heed_graph_add(graph, HEED_OP_SCALE, "n", &x, 1, &block, &y),
                   HEED_ERROR_UNSUPPORTED, "n: byte 8 of 12 is set");
    block.newer = 0;
    x = input("x", HEED_F32, DIMS(2));
    block.attrs.struct_size = 0;
    assert_refused(heed_graph_add(graph, HEED_OP_SCALE, "n", &x, 1, &block, &y),
                   HEED_ERROR_INVALID_ARGUMENT, "n: struct_size is 0");
}

static void test_names(void **state) {
    (void)state;
    const heed_tensor x = input("x", HEED_F32, DIMS(2));
    char scope[] = "encoder.0.";
    relu(NULL, x);
    relu("own", x);
    heed_graph_scope(graph, scope);
    scope[0] = 'X';
    relu("own", x);
    relu(NULL, x);
    heed_graph_scope(graph, NULL);
    relu("own", x); /* names of nodes need not differ */
    heed_graph_scope(graph, "");
    relu(NULL, x);
    static const char *const expected[] = {"relu.0",           "own", "encoder.0.own",
                                           "encoder.0.relu.3", "own", "relu.5"};
    for (int i = 0; i < 6; i++)
        assert_string_equal(graph->nodes[i].name, expected[i]);
}

/* Shapes come from the operators, views share memory, what no view can express is copied. */
static void test_inference(void **state) {
    (void)state;
    heed_tensor x = input("x", HEED_F16, DIMS(2, 3)), t, flat, values[2];
    assert_ok(heed_graph_transpose(graph, "t", x, (const uint32_t[]){1, 0}, &t));
    assert_shape(t, HEED_F16, DIMS(3, 2));
    assert_int_equal(graph->tensors[t].storage, x);
    assert_ok(
        heed_graph_slice(graph, "s", t, (const int64_t[]){1, 1}, (const int64_t[]){2, 1}, &t));
    assert_int_equal(graph->tensors[t].storage, x);
    assert_int_equal(graph->tensors[t].offset_elems, 4);
    assert_ok(
        heed_graph_slice(graph, "s", t, (const int64_t[]){1, 0}, (const int64_t[]){1, 1}, &t));
    assert_int_equal(graph->tensors[t].offset_elems, 5); /* of the storage, not of the view */
    assert_ok(heed_graph_transpose(graph, "t", x, (const uint32_t[]){1, 0}, &t));
    assert_ok(heed_graph_reshape(graph, "flat", t, DIMS(-1), &flat));
    assert_shape(flat, HEED_F16, DIMS(6));
    const struct heedi_node *last = &graph->nodes[graph->node_count - 1];
    assert_int_equal(last->op, HEED_OP_RESHAPE);
    assert_int_equal(last[-1].op, HEED_OP_COPY);
    assert_int_not_equal(graph->tensors[flat].storage, x);
    assert_ok(heed_graph_top_k(graph, NULL, x, 2, &values[0], &values[1]));
    assert_shape(values[0], HEED_F16, DIMS(2, 2));
    assert_shape(values[1], HEED_I32, DIMS(2, 2));
    const int64_t big = INT64_C(1) << 40;
    assert_ok(heed_graph_broadcast(graph, NULL, input("b", HEED_I8, DIMS(1)), DIMS(big, 1), &t));
    assert_ok(heed_graph_broadcast(graph, NULL, input("c", HEED_I8, DIMS(1)), DIMS(1, big), &x));
    assert_ok(heed_graph_cast(graph, NULL, input("d", HEED_I8, DIMS(1)), HEED_F32, &x));
    x = input("long", HEED_F32, DIMS(INT64_C(1) << 32, 1));
    t = input("wide", HEED_F32, DIMS(1, INT64_C(1) << 32));
    assert_refused(heed_graph_binary(graph, HEED_OP_ADD, "sum", x, t, &t), HEED_ERROR_LIMIT,
                   "add sum: output f32 [4294967296, 4294967296] is too large");
}

/* After a failure nothing happens any more, whatever is asked. */
static void every_call(enum heed_status expected) {
    const heed_tensor x = 0;
    heed_tensor y = 77;
    struct heed_weight *w = weight("w");
    assert_int_equal(heed_graph_input(graph, "new", HEED_F32, DIMS(1), 0, &y), expected);
    assert_int_equal(heed_graph_state(graph, "new", HEED_F32, DIMS(1), &y), expected);
    assert_int_equal(heed_graph_constant(graph, w, &y), expected);
    assert_int_equal(heed_graph_add(graph, HEED_OP_RELU, "n", &x, 1, NULL, &y), expected);
    assert_int_equal(heed_graph_output(graph, "new", x), expected);
    assert_int_equal(heed_graph_freeze(graph), expected);
    heed_graph_scope(graph, "scope.");
    assert_int_equal(y, 77);
    heed_weight_release(w);
}

static void test_failures_stick(void **state) {
    heed_tensor y;
    char message[256];
    (void)state;
    const heed_tensor x = input("x", HEED_F32, DIMS(2));
    assert_int_equal(heed_graph_cast(graph, "bad", x, (enum heed_dtype)9, &y),
                     HEED_ERROR_INVALID_ARGUMENT);
    snprintf(message, sizeof message, "%s", heed_last_error(context));
    every_call(HEED_ERROR_INVALID_ARGUMENT);
    assert_string_equal(heed_last_error(context), message); /* the first cause */
    assert_int_equal(graph->tensor_count, 1);
    assert_int_equal(graph->node_count, 0);
    assert_shape(x, HEED_F32, DIMS(2));
    restart();
    const heed_tensor wide = input("x", HEED_F32, DIMS(INT64_C(1) << 32));
    assert_int_equal(heed_graph_matmul(graph, "bad", wide, wide, NULL, &y), HEED_ERROR_SHAPE);
    every_call(HEED_ERROR_SHAPE);
}

static void test_frozen(void **state) {
    (void)state;
    const heed_tensor x = input("x", HEED_F32, DIMS(2));
    assert_ok(heed_graph_output(graph, "y", relu("n", x)));
    assert_ok(heed_graph_freeze(graph));
    every_call(HEED_ERROR_INVALID_ARGUMENT);
    assert_int_equal(graph->tensor_count, 2);
    assert_shape(x, HEED_F32, DIMS(2));
}

static void test_null_graph(void **state) {
    struct heed_graph *kept = graph;
    struct heed_tensor_desc desc;
    (void)state;
    graph = NULL;
    every_call(HEED_ERROR_INVALID_ARGUMENT);
    graph = kept;
    const heed_tensor x = input("x", HEED_F32, DIMS(2));
    const enum heed_status invalid = HEED_ERROR_INVALID_ARGUMENT;
    assert_int_equal(heed_graph_tensor_desc(NULL, x, &desc), invalid);
    assert_int_equal(heed_graph_tensor_desc(graph, x, NULL), invalid);
    assert_int_equal(heed_graph_tensor_desc(graph, 1, &desc), invalid);
    assert_int_equal(heed_graph_tensor_desc(graph, HEED_NO_TENSOR, &desc), invalid);
    assert_ok(heed_graph_freeze(graph)); /* a question is no failure */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        graph_test(test_create),         graph_test(test_leaves),
        graph_test(test_bound),          graph_test(test_constants),
        graph_test(test_add_arguments),  graph_test(test_attribute_sizes),
        graph_test(test_names),          graph_test(test_inference),
        graph_test(test_failures_stick), graph_test(test_frozen),
        graph_test(test_null_graph),
    };
    return cmocka_run_group_tests_name("builder", tests, NULL, NULL);
}
