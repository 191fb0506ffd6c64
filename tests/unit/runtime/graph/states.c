/* SPDX-License-Identifier: Apache-2.0 */
/* Building graphs: states and their versions, outputs, and what freezing drops. */
#include "graph_test.h"

struct cache {
    heed_tensor token, x, position;
};

/* A state of 2 rows, 4 entries, 3 elements, and what one update takes. */
static struct cache cache(const char *name) {
    struct cache made;
    assert_ok(heed_graph_state(graph, name, HEED_F32, DIMS(2, 4, 3), &made.token));
    made.x = input("x", HEED_F32, DIMS(2, 1, 3));
    made.position = input("position", HEED_I32, DIMS(2));
    return made;
}

static enum heed_status append(const struct cache *it, heed_tensor token, heed_tensor *next) {
    return heed_graph_cache_append(graph, "append", token, it->x, it->position, HEED_NO_TENSOR,
                                   next);
}

static void test_versions(void **state) {
    (void)state;
    const struct cache c = cache("kv");
    heed_tensor second, third, view;
    assert_ok(append(&c, c.token, &second));
    assert_shape(second, HEED_F32, DIMS(2, 4, 3));
    assert_int_not_equal(second, c.token);
    assert_int_equal(graph->tensors[second].storage, c.token); /* in place */
    assert_ok(heed_graph_reshape(graph, NULL, second, DIMS(8, 3), &view));
    relu("before", view);
    assert_ok(append(&c, second, &third));
    relu("after", third);
    assert_int_equal(graph->tensors[third].storage, c.token);
    assert_ok(heed_graph_freeze(graph));
}

/* The first version, the version between, and views of both are gone after their update. */
static void test_superseded(void **state) {
    static const char words[] = "reads state kv after append has updated it; use the token";
    (void)state;
    for (int form = 0; form < 5; form++) {
        struct cache c = cache("kv");
        heed_tensor view, second, third, out;
        assert_ok(heed_graph_slice(graph, NULL, c.token, (const int64_t[]){0, 0, 0},
                                   (const int64_t[]){1, 4, 3}, &view));
        assert_ok(heed_graph_reshape(graph, NULL, view, DIMS(4, 3), &view));
        assert_ok(append(&c, c.token, &second));
        assert_ok(append(&c, second, &third));
        const heed_tensor reads[] = {c.token, view, second, third};
        if (form < 3)
            assert_refused(heed_graph_unary(graph, HEED_OP_RELU, "late", reads[form], &out),
                           HEED_ERROR_INVALID_ARGUMENT, words);
        else if (form == 3)
            assert_refused(append(&c, c.token, &out), HEED_ERROR_INVALID_ARGUMENT, words);
        else
            assert_refused(heed_graph_output(graph, "late", second), HEED_ERROR_INVALID_ARGUMENT,
                           words);
    }
}

/* The first node of a graph counts like any other. */
static void test_first_node(void **state) {
    heed_tensor next, out;
    (void)state;
    const struct cache c = cache("kv");
    assert_ok(append(&c, c.token, &next));
    assert_refused(heed_graph_unary(graph, HEED_OP_RELU, "late", c.token, &out),
                   HEED_ERROR_INVALID_ARGUMENT, "late: input 0 reads state kv after append");
    const heed_tensor x = input("x", HEED_F32, DIMS(2));
    relu("unused", x);
    assert_ok(heed_graph_output(graph, "y", relu("n", x)));
    assert_ok(heed_graph_freeze(graph));
    assert_true(graph->nodes[0].dead);
    assert_false(graph->nodes[1].dead);
}

/* Only the current token itself can be updated. */
static void test_no_token(void **state) {
    static const char words[] = "expected the token of a state";
    heed_tensor view, next;
    (void)state;
    struct cache c = cache("kv");
    assert_ok(heed_graph_slice(graph, NULL, c.token, (const int64_t[]){0, 0, 0},
                               (const int64_t[]){2, 4, 3}, &view));
    assert_refused(append(&c, view, &next), HEED_ERROR_INVALID_ARGUMENT, words);
    c = cache("kv");
    assert_refused(append(&c, c.x, &next), HEED_ERROR_INVALID_ARGUMENT,
                   "append: input 0 is x, expected the token of a state");
    c = cache("kv");
    assert_refused(append(&c, relu("r", c.token), &next), HEED_ERROR_INVALID_ARGUMENT, words);
    c = cache("kv"); /* a refused update supersedes nothing, but fails the graph */
    assert_refused(heed_graph_cache_append(graph, "append", c.token, c.position, c.position,
                                           HEED_NO_TENSOR, &next),
                   HEED_ERROR_SHAPE, "cache_append append: ");
}

static void test_output_names(void **state) {
    static const char words[] = "graph g: output needs a name and a tensor of the graph";
    const enum heed_status invalid = HEED_ERROR_INVALID_ARGUMENT;
    (void)state;
    heed_tensor x = input("x", HEED_F32, DIMS(2));
    assert_refused(heed_graph_output(graph, NULL, x), invalid, words);
    x = input("x", HEED_F32, DIMS(2));
    assert_refused(heed_graph_output(graph, "", x), invalid, words);
    assert_refused(heed_graph_output(graph, "y", 0), invalid, words);
    assert_refused(heed_graph_output(graph, "y", HEED_NO_TENSOR), invalid, "(-1 given)");
    x = input("x", HEED_F32, DIMS(2));
    assert_ok(heed_graph_output(graph, "y", relu("n", x)));
    assert_refused(heed_graph_output(graph, "y", relu("n", x)), invalid, "output y exists already");
}

/* The tensor that is given out under a name. */
static heed_tensor given(const char *name) {
    for (int32_t i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i].output_name != NULL &&
            strcmp(graph->tensors[i].output_name, name) == 0)
            return i;
    fail_msg("no output %s", name);
    return HEED_NO_TENSOR;
}

/* A result has memory of its own, contiguous: what has not is copied. */
static void test_output_copies(void **state) {
    (void)state;
    const struct cache c = cache("kv");
    const heed_tensor y = relu("n", c.x);
    heed_tensor view, next;
    assert_ok(heed_graph_transpose(graph, NULL, y, (const uint32_t[]){2, 1, 0}, &view));
    assert_ok(append(&c, c.token, &next));
    assert_ok(heed_graph_output(graph, "own", y));
    assert_int_equal(given("own"), y);
    const struct {
        const char *name;
        heed_tensor tensor;
    } copied[] = {{"twice", y}, {"input", c.x}, {"view", view}, {"state", next}};
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        assert_ok(heed_graph_output(graph, copied[i].name, copied[i].tensor));
        const heed_tensor copy = given(copied[i].name);
        assert_int_not_equal(copy, copied[i].tensor);
        assert_int_equal(graph->tensors[copy].storage, copy);
        assert_true(heed_desc_contiguous(&graph->tensors[copy].desc));
        const struct heedi_node *node = &graph->nodes[graph->tensors[copy].producer];
        assert_int_equal(node->op, HEED_OP_COPY);
        assert_int_equal(node->inputs[0], copied[i].tensor);
    }
    assert_shape(given("view"), HEED_F32, DIMS(3, 1, 2));
}

/* A node lives that an output or a state needs, views on the way included. */
static void test_freeze(void **state) {
    (void)state;
    const struct cache c = cache("kv");
    heed_tensor view, next, top[2], sum;
    const heed_tensor feeds = relu("feeds", c.x);
    const heed_tensor unused = relu("unused", c.x);
    relu("of_unused", unused);
    assert_ok(heed_graph_cache_append(graph, "append", c.token, feeds, c.position, HEED_NO_TENSOR,
                                      &next));
    assert_ok(heed_graph_reshape(graph, "view", c.x, DIMS(6), &view));
    assert_ok(heed_graph_top_k(graph, "top", view, 6, &top[0], &top[1]));
    assert_ok(heed_graph_binary(graph, HEED_OP_ADD, "sum", top[0], view, &sum));
    assert_ok(heed_graph_output(graph, "indices", top[1])); /* one output of two is enough */
    assert_ok(heed_graph_freeze(graph));
    static const char *const names[] = {"feeds", "unused", "of_unused", "append",
                                        "view",  "top",    "sum"};
    static const bool dead[] = {false, true, true, false, false, false, true};
    assert_int_equal(graph->node_count, 7);
    for (int i = 0; i < 7; i++) {
        assert_string_equal(graph->nodes[i].name, names[i]);
        assert_int_equal(graph->nodes[i].dead, dead[i]);
    }
}

static void test_freeze_nothing(void **state) {
    (void)state;
    assert_ok(heed_graph_freeze(graph));
    restart();
    input("x", HEED_F32, DIMS(2));
    assert_ok(heed_graph_freeze(graph));
}

/* More nodes and tensors than any first guess holds. */
static void test_growth(void **state) {
    char name[32];
    (void)state;
    heed_tensor x = input("x", HEED_F32, DIMS(2));
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        x = relu(name, x);
    }
    assert_ok(heed_graph_output(graph, "y", x));
    assert_ok(heed_graph_freeze(graph));
    assert_int_equal(graph->node_count, 1000);
    assert_int_equal(graph->tensor_count, 1001);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        assert_string_equal(graph->nodes[i].name, name);
        assert_int_equal(graph->nodes[i].inputs[0], i);
        assert_int_equal(graph->nodes[i].origin, i);
        assert_false(graph->nodes[i].dead);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        graph_test(test_versions), graph_test(test_superseded),     graph_test(test_first_node),
        graph_test(test_no_token), graph_test(test_output_names),   graph_test(test_output_copies),
        graph_test(test_freeze),   graph_test(test_freeze_nothing), graph_test(test_growth),
    };
    return cmocka_run_group_tests_name("states", tests, NULL, NULL);
}
