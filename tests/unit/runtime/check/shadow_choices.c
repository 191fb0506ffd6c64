/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow runs and integers: choices between equals are forgiven with what follows from them, others
 * are not; and of series of steps the first is compared. */
#include "shadow_test.h"

#include <math.h>

/* The first row has its maximum twice, the second once. */
enum { ROWS = 2, WIDTH = 4 };
static const float logits[ROWS * WIDTH] = {1, 3, 3, 0, 2, 1, 0, -1};

static struct heed_graph *choosing_graph(bool next_is_output) {
    static const int64_t dims[] = {ROWS, WIDTH}, table[] = {HEED_ROWS_COUNT, ROWS};
    struct heed_graph *graph = NULL;
    heed_tensor x, rows, next, values, order, advanced;
    assert_ok(heed_graph_create(context, "choosing", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, dims, 0, &x);
    heed_graph_input(graph, "rows", HEED_I32, 2, table, 0, &rows);
    heed_graph_unary(graph, HEED_OP_ARGMAX, "next", x, &next);
    heed_graph_top_k(graph, "best", x, 2, &values, &order);
    heed_graph_advance(graph, "advance", rows, next, -1, 100, &advanced);
    if (next_is_output)
        heed_graph_output(graph, "next", next);
    heed_graph_output(graph, "values", values);
    heed_graph_output(graph, "order", order);
    heed_graph_output(graph, "rows_next", advanced);
    assert_ok(heed_graph_freeze(graph));
    return graph;
}

static int32_t *integers(struct heed_instance *instance, const char *name) {
    int32_t *found = (int32_t *)(uintptr_t)heed_instance_output(instance, name, NULL);
    assert_non_null(found);
    return found;
}

/* What the first backend is made to have chosen. */
static void choose_the_equal(struct heed_instance *instance) {
    integers(instance, "next")[0] = 2;
    integers(instance, "order")[0] = 2;
    integers(instance, "order")[1] = 1;
    integers(instance, "rows_next")[HEED_ROWS_TOKEN * ROWS] = 2;
}

static void choose_a_worse(struct heed_instance *instance) {
    integers(instance, "next")[0] = 0;
    integers(instance, "rows_next")[HEED_ROWS_TOKEN * ROWS] = 0;
}

static void choose_nothing(struct heed_instance *instance) {
    integers(instance, "next")[1] = WIDTH;
}

static void spoil_another_column(struct heed_instance *instance) {
    choose_the_equal(instance);
    integers(instance, "rows_next")[HEED_ROWS_TOKEN * ROWS + 1] = 3;
}

static void order_wrongly(struct heed_instance *instance) {
    integers(instance, "order")[2] = 1; /* of the second row, 0 before 1 */
    integers(instance, "order")[3] = 0;
}

static void advance_by_the_equal(struct heed_instance *instance) {
    integers(instance, "rows_next")[HEED_ROWS_TOKEN * ROWS] = 2;
}

static void advance_wrongly(struct heed_instance *instance) {
    integers(instance, "rows_next")[HEED_ROWS_TOKEN * ROWS + 1] = 1;
}

struct chosen {
    struct heed_shadow_statistics seen;
    struct heed_shadow_finding finding; /* where they disagree */
};

static struct chosen run_choosing(bool next_is_output,
                                  void (*change)(struct heed_instance *instance)) {
    struct heed_shadow *shadow = open_shadow("fake_b", 1);
    struct heed_program *program = program_of("fake_a,only", choosing_graph(next_is_output));
    struct heed_instance *instance = NULL;
    struct meddling meddling;
    struct chosen chosen = {.finding = {.struct_size = 0}};
    assert_ok(heed_instance_create(context, program, &instance));
    heed_instance_set_shadow(instance, shadow);
    meddle(&meddling, instance, change);
    memcpy(heed_instance_input(instance, "x", NULL), logits, sizeof logits);
    assert_ok(heed_instance_run(context, instance));
    chosen.seen = statistics_of(shadow);
    assert_int_equal(chosen.seen.checked, 1);
    if (chosen.seen.disagreed > 0)
        chosen.finding = finding_of(shadow, 0);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_shadow_destroy(shadow);
    return chosen;
}

static void check_tie(struct chosen chosen) {
    assert_int_equal(chosen.seen.disagreed, 0);
    assert_int_equal(chosen.seen.ties, 1);
    assert_true(chosen.seen.worst == 0);
}

static void check_disagreement(struct chosen chosen, const char *tensor, int64_t first,
                               int64_t second, double primary, double shadow) {
    assert_int_equal(chosen.seen.disagreed, 1);
    assert_int_equal(chosen.seen.ties, 0);
    assert_string_equal(chosen.finding.tensor, tensor);
    assert_int_equal(chosen.finding.dtype, HEED_I32);
    assert_int_equal(chosen.finding.index[0], first);
    assert_int_equal(chosen.finding.index[1], second);
    assert_true(chosen.finding.primary_value == primary);
    assert_true(chosen.finding.shadow_value == shadow);
    assert_true(isinf(chosen.finding.fraction));
    assert_int_equal(chosen.finding.blame, HEED_SHADOW_BLAME_UNSTEADY);
}

static void test_choices(void **state) {
    (void)state;
    check_tie(run_choosing(true, choose_the_equal));
    check_disagreement(run_choosing(true, choose_a_worse), "next", 0, 0, 0, 1);
    check_disagreement(run_choosing(true, choose_nothing), "next", 1, 0, WIDTH, 0);
    check_disagreement(run_choosing(true, spoil_another_column), "rows_next", HEED_ROWS_TOKEN, 1, 3,
                       0);
    check_disagreement(run_choosing(true, order_wrongly), "order", 1, 0, 1, 0);
}

/* What was chosen is not seen: a column follows from a close call, or it does not. */
static void test_unseen_choices(void **state) {
    (void)state;
    check_tie(run_choosing(false, advance_by_the_equal));
    check_disagreement(run_choosing(false, advance_wrongly), "rows_next", HEED_ROWS_TOKEN, 1, 1, 0);
}

/* ---- series of steps ---- */

/* y = x + 1, z = y y; x carries y; `aside` is not kept. */
static struct heed_graph *scan_graph(void) {
    static const int64_t two[] = {2};
    static const float ones[] = {1, 1};
    struct heed_graph *graph = NULL;
    heed_tensor x, y, z, aside;
    assert_ok(heed_graph_create(context, "scan", &graph));
    heed_graph_input(graph, "x", HEED_F32, 1, two, 0, &x);
    const heed_tensor one = constant(graph, "one", 1, two, ones);
    heed_graph_binary(graph, HEED_OP_ADD, "y", x, one, &y);
    heed_graph_binary(graph, HEED_OP_MUL, "z", y, y, &z);
    heed_graph_scale(graph, "aside", z, 2, &aside);
    heed_graph_output(graph, "y", y);
    heed_graph_output(graph, "z", z);
    heed_graph_output(graph, "aside", aside);
    assert_ok(heed_graph_freeze(graph));
    return graph;
}

static void spoil_first_step(struct heed_instance *instance) {
    float *z = (float *)(uintptr_t)heed_instance_output_at(instance, "z", 0, NULL);
    z[1] = 7;
}

static void spoil_second_step(struct heed_instance *instance) {
    float *z = (float *)(uintptr_t)heed_instance_output_at(instance, "z", 1, NULL);
    z[1] = 7;
}

static struct chosen run_series(bool by_device, void (*change)(struct heed_instance *instance)) {
    static const struct heed_carry carry = {.output = "y", .input = "x"};
    static const char *const kept[] = {"y", "z"};
    static const struct heed_steps_options four = {.struct_size = sizeof four,
                                                   .most = 4,
                                                   .carries = &carry,
                                                   .carry_count = 1,
                                                   .stacked = kept,
                                                   .stacked_count = 2};
    fake_a.steps = by_device;
    struct heed_shadow *shadow = open_shadow("fake_b", 1);
    struct heed_program *program = program_of("fake_a,only", scan_graph());
    struct heed_instance *instance = NULL;
    struct meddling meddling;
    struct chosen chosen = {.finding = {.struct_size = 0}};
    assert_ok(heed_instance_create(context, program, &instance));
    assert_ok(heed_instance_set_steps(context, instance, &four));
    heed_instance_set_shadow(instance, shadow);
    if (change != NULL)
        meddle(&meddling, instance, change);
    float *x = heed_instance_input(instance, "x", NULL);
    x[0] = 1;
    x[1] = 2;
    assert_ok(heed_instance_run_steps(context, instance, 4));
    chosen.seen = statistics_of(shadow);
    if (chosen.seen.disagreed > 0)
        chosen.finding = finding_of(shadow, 0);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_shadow_destroy(shadow);
    return chosen;
}

static void test_series(void **state) {
    (void)state;
    struct chosen chosen = run_series(false, NULL); /* each step for itself */
    assert_int_equal(chosen.seen.seen, 4);
    assert_int_equal(chosen.seen.skipped, 0);
    assert_int_equal(chosen.seen.checked, 4);
    assert_int_equal(chosen.seen.disagreed, 0);

    chosen = run_series(true, NULL);
    assert_int_equal(chosen.seen.seen, 1);
    assert_int_equal(chosen.seen.skipped, 3);
    assert_int_equal(chosen.seen.checked, 1);
    assert_int_equal(chosen.seen.disagreed, 0);

    assert_int_equal(run_series(true, spoil_second_step).seen.disagreed, 0);
    chosen = run_series(true, spoil_first_step);
    assert_int_equal(chosen.seen.disagreed, 1);
    assert_string_equal(chosen.finding.tensor, "z");
    assert_int_equal(chosen.finding.index[0], 1);
    assert_true(chosen.finding.primary_value == 7);
    assert_true(chosen.finding.shadow_value == 9); /* (2 + 1)^2 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        exec_test(test_choices),
        exec_test(test_unseen_choices),
        exec_test(test_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
