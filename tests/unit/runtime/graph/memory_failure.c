/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once while a graph is built, frozen, rewritten and printed: the error is
 * out of memory, nothing crashes, nothing leaks, and the next attempt in the same context works. */
#include "graph_test.h"

/* A little of everything: a name for every kind of tensor and node, attributes, views, a copy that
 * a reshape needs, a state, composites to lower, and more than one growth of the arrays. */
static enum heed_status build(struct heed_weight *weight, struct heed_graph **built) {
    heed_tensor x, y, w, cache, position, top[2];
    const heed_tensor none = HEED_NO_TENSOR;
    const struct heed_positions_attrs places = {
        .struct_size = (uint32_t)sizeof places, .width = 4, .max_len = 8};
    enum heed_status status = heed_graph_create(context, "rich", built);
    if (status != HEED_OK)
        return status;
    heed_graph_input(*built, "x", HEED_F32, DIMS(1, 3, 4), 0, &x);
    heed_graph_input(*built, "position", HEED_I32, DIMS(1), 8, &position);
    heed_graph_state(*built, "cache", HEED_F32, DIMS(1, 8, 4), &cache);
    heed_graph_constant(*built, weight, &w);
    heed_graph_scope(*built, "layer.");
    heed_graph_cache_append(*built, "append", cache, x, position, none, &cache);
    heed_graph_linear(*built, "linear", x, w, none, HEED_ACTIVATION_SILU, &y);
    heed_graph_transpose(*built, NULL, y, (const uint32_t[]){0, 2, 1}, &y);
    heed_graph_reshape(*built, "flat", y, DIMS(3, 4), &y);
    for (int i = 0; i < 150; i++)
        heed_graph_unary(*built, HEED_OP_SILU, NULL, y, &y);
    heed_graph_scope(*built, NULL);
    heed_graph_top_k(*built, "top", y, 2, &top[0], &top[1]);
    heed_graph_output(*built, "values", top[0]);
    heed_graph_output(*built, "again", top[0]);
    heed_graph_positions(*built, "places", position, &places, &y);
    heed_graph_output(*built, "places", y);
    status = heed_graph_freeze(*built);
    if (status != HEED_OK) { /* it stuck */
        assert_int_equal(heed_graph_input(*built, "late", HEED_F32, 0, NULL, 0, &x), status);
        assert_true(heed_last_error(context)[0] != '\0');
    }
    return status;
}

static enum heed_status build_and_rewrite(struct heed_weight *weight) {
    struct heed_graph *built = NULL, *rewritten = NULL;
    unsigned char lower[256] = {0};
    uint32_t contiguous[256] = {0};
    enum heed_status status = build(weight, &built);
    if (status == HEED_OK) {
        assert_in_range(built->node_count, 150, 256);
        for (int32_t n = 0; n < built->node_count; n++) {
            lower[n] = built->nodes[n].op == HEED_OP_SILU || built->nodes[n].op == HEED_OP_MATMUL ||
                       built->nodes[n].op == HEED_OP_POSITIONS;
            contiguous[n] = built->nodes[n].op == HEED_OP_SILU && n % 16 == 0;
        }
        status = heedi_graph_rewrite(context, built, lower, contiguous, &rewritten);
        assert_true((status == HEED_OK) == (rewritten != NULL));
    }
    if (status == HEED_OK) {
        FILE *sink = tmpfile();
        assert_non_null(sink);
        heedi_graph_print(built, sink);
        heedi_graph_print(rewritten, sink);
        assert_true(ftell(sink) > 0);
        fclose(sink);
    } else if (built != NULL) { /* a graph that failed half-way can be looked at */
        FILE *sink = tmpfile();
        assert_non_null(sink);
        heedi_graph_print(built, sink);
        fclose(sink);
    }
    heed_graph_release(rewritten);
    heed_graph_release(built);
    return status;
}

static void test_every_allocation(void **state) {
    static const float values[16];
    struct heed_weight *weight = NULL;
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, DIMS(4, 4));
    (void)state;
    assert_ok(heed_weight_create(context, "w", &desc, values, NULL, NULL, &weight));
    assert_ok(build_and_rewrite(weight));
    const long live = atomic_load(&memory.live), before = atomic_load(&memory.calls);
    assert_ok(build_and_rewrite(weight));
    const long count = atomic_load(&memory.calls) - before;
    assert_true(count > 300);
    for (long at = 1; at <= count; at++) {
        atomic_store(&memory.fail_at, atomic_load(&memory.calls) + at);
        const enum heed_status status = build_and_rewrite(weight);
        if (status != HEED_ERROR_OUT_OF_MEMORY)
            fail_msg("allocation %ld of %ld: %s", at, count, heed_status_name(status));
        assert_int_equal(atomic_load(&memory.live), live);
    }
    atomic_store(&memory.fail_at, 0);
    assert_ok(build_and_rewrite(weight));
    assert_int_equal(atomic_load(&memory.live), live);
    heed_weight_release(weight);
}

int main(void) {
    const struct CMUnitTest tests[] = {graph_test(test_every_allocation)};
    return cmocka_run_group_tests_name("memory_failure", tests, NULL, NULL);
}
