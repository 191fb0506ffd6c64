/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow runs of sub-graphs with states: what of them is copied, that updates in place are
 * compared, and that parts see what other parts have stored. */
#include "runtime/check/shadow.h"
#include "shadow_test.h"

/* Two rows append to a cache [3, 4, 2] and attend to it. */
enum { ROWS = 2, CACHE_ROWS = 3, KEYS = 4, WIDTH = 2, VALUE = 4, POSITION_BYTES = WIDTH * VALUE };

struct cached {
    struct heed_program *program;
    struct heed_instance *instance;
    struct heed_state *state;
};

/* `lengths_known`: key_len is an input, else something that the part computes. */
static struct heed_graph *cached_graph(bool lengths_known) {
    static const int64_t cache_dims[] = {CACHE_ROWS, KEYS, WIDTH}, x_dims[] = {ROWS, 1, WIDTH};
    static const int64_t rows[] = {ROWS}, keys_dims[] = {CACHE_ROWS, 1, KEYS, WIDTH};
    struct heed_graph *graph = NULL;
    heed_tensor cache, x, position, row, length, y, inputs[HEED_ATTENTION_INPUTS];
    assert_ok(heed_graph_create(context, "cached", &graph));
    heed_graph_state(graph, "cache", HEED_F32, 3, cache_dims, &cache);
    heed_graph_input(graph, "x", HEED_F32, 3, x_dims, 0, &x);
    heed_graph_input(graph, "position", HEED_I32, 1, rows, KEYS + 1, &position);
    heed_graph_input(graph, "row", HEED_I32, 1, rows, CACHE_ROWS, &row);
    heed_graph_input(graph, "length", HEED_I32, 1, rows, KEYS + 1, &length);
    if (!lengths_known)
        heed_graph_binary(graph, HEED_OP_ADD, "double", length, length, &length);
    heed_graph_cache_append(graph, "append", cache, x, position, row, &cache);
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    heed_graph_reshape(graph, NULL, x, 4, (const int64_t[]){ROWS, 1, 1, WIDTH}, &inputs[0]);
    heed_graph_reshape(graph, NULL, cache, 4, keys_dims, &inputs[HEED_ATTENTION_K]);
    inputs[HEED_ATTENTION_V] = inputs[HEED_ATTENTION_K];
    inputs[HEED_ATTENTION_KEY_LEN] = length;
    inputs[HEED_ATTENTION_KV_ROW] = row;
    const struct heed_attention_attrs attrs = {.struct_size = (uint32_t)sizeof attrs};
    heed_graph_attention(graph, "attend", inputs, &attrs, &y, NULL);
    heed_graph_output(graph, "y", y);
    assert_ok(heed_graph_freeze(graph));
    return graph;
}

static struct cached open_cached(const char *backends, bool lengths_known) {
    struct cached cached = {.program = program_of(backends, cached_graph(lengths_known))};
    float all[CACHE_ROWS * KEYS * WIDTH];
    for (int i = 0; i < CACHE_ROWS * KEYS * WIDTH; i++)
        all[i] = (float)i / 8.0f;
    assert_ok(heed_instance_create(context, cached.program, &cached.instance));
    assert_ok(heed_state_create(context, cached.program, "cache", &cached.state));
    assert_ok(heed_instance_bind_state(context, cached.instance, "cache", cached.state));
    assert_ok(heed_state_write(context, cached.state, 0, all, sizeof all));
    return cached;
}

static void close_cached(struct cached *cached) {
    heed_instance_destroy(cached->instance);
    heed_state_destroy(cached->state);
    heed_program_release(cached->program);
}

static void fill_cached(struct heed_instance *instance, int32_t position) {
    float *x = heed_instance_input(instance, "x", NULL);
    int32_t *at = heed_instance_input(instance, "position", NULL);
    int32_t *row = heed_instance_input(instance, "row", NULL);
    int32_t *length = heed_instance_input(instance, "length", NULL);
    for (int i = 0; i < ROWS * WIDTH; i++)
        x[i] = (float)(i + position) / 4.0f;
    at[0] = position;
    at[1] = KEYS; /* idle */
    row[0] = 2;
    row[1] = -1;
    length[0] = position + 1;
    length[1] = 0;
}

/* ---- what is copied ---- */

/* The pieces of the state, "read 64+16 write 80+8". */
static void describe_state(const struct heedi_snapshot *snapshot, char *text, size_t bytes) {
    const struct heedi_compiled *part = &snapshot->program->parts[snapshot->part];
    text[0] = '\0';
    for (size_t i = 0; i < snapshot->piece_count; i++) {
        const struct heedi_shadow_piece *piece = &snapshot->pieces[i];
        const size_t used = strlen(text);
        if (part->bindings[piece->binding].role == HEED_ROLE_STATE)
            snprintf(text + used, bytes - used, "%s%s %d+%d", used > 0 ? " " : "",
                     piece->after ? "write" : "read", (int)piece->offset, (int)piece->bytes);
    }
}

static void check_pieces(bool lengths_known, int32_t position, const char *expected) {
    struct cached cached = open_cached("fake_a,only", lengths_known);
    char found[160];
    fill_cached(cached.instance, position);
    struct heedi_snapshot *snapshot = heedi_snapshot_plan(&context->env, cached.instance, 0);
    assert_non_null(snapshot);
    describe_state(snapshot, found, sizeof found);
    assert_string_equal(found, expected);
    heedi_snapshot_destroy(&context->env, snapshot);
    close_cached(&cached);
}

static void test_pieces(void **state) {
    (void)state;
    /* row 2 begins at byte 2 * 4 * 8 = 64; the idle row neither reads nor writes */
    check_pieces(true, 0, "write 64+8 read 64+8");
    check_pieces(true, 2, "write 80+8 read 64+24");
    check_pieces(true, 3, "write 88+8 read 64+32");
    /* what is read depends on the part itself: all of it */
    check_pieces(false, 2, "write 80+8 read 0+96");
}

/* ---- what is compared ---- */

static void run_cached(struct cached *cached, int steps) {
    for (int32_t i = 0; i < steps; i++) {
        fill_cached(cached->instance, i);
        assert_ok(heed_instance_run(context, cached->instance));
    }
}

static void test_updates_in_place(void **state) {
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct heed_shadow *shadow = open_shadow("fake_b", 1);
        struct cached cached = open_cached("fake_a,only", known);
        heed_instance_set_shadow(cached.instance, shadow);
        run_cached(&cached, KEYS);
        const struct heed_shadow_statistics seen = statistics_of(shadow);
        assert_int_equal(seen.checked, KEYS);
        assert_int_equal(seen.disagreed, 0);
        assert_true(seen.worst == 0);
        close_cached(&cached);
        heed_shadow_destroy(shadow);
    }
}

static struct heed_state *spoiled;

static void spoil_state(struct heed_instance *instance) {
    const float wrong = 77;
    (void)instance;
    assert_ok(heed_state_write(context, spoiled, (2 * KEYS + 1) * POSITION_BYTES + VALUE, &wrong,
                               sizeof wrong));
}

/* The step that should have stored [2, 1] is seen, with the element; others store elsewhere. */
static void test_wrong_update(void **state) {
    (void)state;
    struct heed_shadow *shadow = open_shadow("fake_b", 1);
    struct cached cached = open_cached("fake_a,only", true);
    struct meddling meddling;
    heed_instance_set_shadow(cached.instance, shadow);
    spoiled = cached.state;
    meddle(&meddling, cached.instance, spoil_state);
    fill_cached(cached.instance, 1);
    assert_ok(heed_instance_run(context, cached.instance));
    const struct heed_shadow_statistics seen = statistics_of(shadow);
    assert_int_equal(seen.disagreed, 1);
    const struct heed_shadow_finding finding = finding_of(shadow, 0);
    assert_int_equal(finding.state, 1);
    assert_string_equal(finding.tensor, "cache");
    assert_string_equal(finding.producer, "");
    assert_int_equal(finding.rank, 3);
    assert_int_equal(finding.index[0], 2);
    assert_int_equal(finding.index[1], 1);
    assert_int_equal(finding.index[2], 1);
    assert_true(finding.primary_value == 77);
    assert_true(finding.shadow_value == 0.5); /* x[1] = (1 + 1) / 4 */
    assert_int_equal(finding.blame, HEED_SHADOW_BLAME_UNSTEADY);
    close_cached(&cached);
    heed_shadow_destroy(shadow);
}

/* Parts of one state: attention reads what the part before it has stored. */
static void test_other_parts(void **state) {
    (void)state;
    fake_a.runs[HEED_OP_ADD] = false;
    struct heed_shadow *shadow = open_shadow("scalar", 1);
    struct cached cached = open_cached("fake_a,fake_b,only", false);
    assert_true(cached.program->part_count >= 2);
    heed_instance_set_shadow(cached.instance, shadow);
    run_cached(&cached, KEYS - 2); /* twice the length is within the cache */
    const struct heed_shadow_statistics seen = statistics_of(shadow);
    assert_int_equal(seen.checked, (KEYS - 2) * cached.program->part_count);
    assert_int_equal(seen.disagreed, 0);
    assert_true(seen.worst < 1);
    close_cached(&cached);
    heed_shadow_destroy(shadow);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        exec_test(test_pieces),
        exec_test(test_updates_in_place),
        exec_test(test_wrong_update),
        exec_test(test_other_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
