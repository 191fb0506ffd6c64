/* SPDX-License-Identifier: Apache-2.0 */
/* The default model, node by node, on every backend that is there: all within their bounds, the
 * same choices, the same translation. A plugin that computes wrongly is found at the first node at
 * which it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "heed/check_model.h"
#include "tests/support/backends.h"
#include "tests/support/model.h"

struct seen {
    uint32_t nodes, encoders, steps, last_depth;
    uint32_t stop_after; /* 0: never */
    uint32_t results, groups;
};

static int take_node(void *user, const struct heed_check_node *node) {
    struct seen *seen = user;
    assert_true(node->depth == seen->nodes);
    seen->nodes++;
    seen->encoders += strcmp(node->graph, "encoder") == 0;
    if (strcmp(node->graph, "decoder") == 0 && node->step >= seen->steps)
        seen->steps = node->step + 1;
    return seen->nodes == seen->stop_after;
}

static int take_piece(void *user, const struct heed_check_piece *piece) {
    struct seen *seen = user;
    assert_null(piece->error);
    assert_true(piece->tolerance >= 4 * piece->one_by_one && piece->tolerance > 0);
    assert_true(piece->node_count > 0);
    assert_non_null(strstr(piece->nodes, piece->name));
    assert_true(piece->group == 0 || piece->node_count > 1);
    seen->groups += piece->group;
    seen->results += piece->group == 0;
    return 0;
}

static void check(struct heed_context *context, const char *backend, const char *against,
                  uint32_t steps, struct seen *seen, struct heed_check_model_report *report) {
    const struct heed_check_model_options options = {.struct_size = sizeof options,
                                                     .backend = backend,
                                                     .against = against,
                                                     .plugin_path = HEED_TEST_PLUGINS,
                                                     .text = "A man is riding a bike.",
                                                     .steps = steps,
                                                     .node = take_node,
                                                     .user = seen,
                                                     .piece = take_piece};
    if (heed_check_model(context, support_model, &options, report) != HEED_OK)
        fail_msg("%s: %s", backend, heed_last_error(context));
}

static void test_backends(void **state) {
    struct support_backend backends[SUPPORT_BACKENDS];
    const size_t count = support_backends(backends);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        struct seen seen = {.nodes = 0};
        struct heed_check_model_report report;
        check(*state, backends[i].name, NULL, backends[i].software ? 1 : 3, &seen, &report);
        if (report.over > 0)
            fail_msg("%s: %s of %s: %g of the bound", backends[i].name, report.first_over.name,
                     report.first_over.graph, report.first_finding.hard);
        assert_int_equal(seen.nodes, report.nodes);
        assert_true(seen.encoders > 40); /* four layers of eleven nodes */
        assert_int_equal(seen.steps, backends[i].software ? 1 : 3);
        assert_int_equal(report.choices, seen.steps);
        assert_int_equal(report.same_choices, report.choices);
        assert_true(report.isolated <= 1);
        assert_true(report.accumulated < 1e-4);
        if (report.together_over > 0)
            fail_msg("%s: %s: %s", backends[i].name, report.first_nodes, report.together_message);
        /* keys and values of two layers, of the source and in each step; a token and its score */
        assert_true(report.results >= 4 + 6 * seen.steps);
        assert_int_equal(seen.results, report.results);
        assert_int_equal(seen.groups, report.groups);
        assert_true(report.groups == 0 || report.largest_group > 1);
        assert_int_equal(report.unlike, 0);
        assert_true(report.together > 0 && report.together <= 1);
        assert_true(report.worst_together.name[0] != '\0');
        assert_true(report.logits < 1e-3);
        assert_true(report.worst_accumulated.name[0] != '\0');
        assert_true(report.same_translation);
        assert_true(report.translation[0] != '\0');
    }
}

/* Held against itself a backend has no error at all, and each side's bits go into the other. */
static void test_against_itself(void **state) {
    struct support_backend backends[SUPPORT_BACKENDS];
    struct seen seen = {.nodes = 0};
    struct heed_check_model_report report;
    assert_true(support_backends(backends) > 0);
    check(*state, backends[0].name, backends[0].name, 1, &seen, &report);
    assert_true(report.accumulated == 0);
    assert_true(report.pair == 0 && report.pair_over == 0 && report.other_over == 0);
    assert_true(report.isolated > 0); /* which is against the references all the same */
    assert_int_equal(report.over, 0);
    assert_true(report.same_translation);
}

/* Two sound ones differ by less than both may; one that is wrong is found on either side. */
static void test_against_another(void **state) {
    struct support_backend backends[SUPPORT_BACKENDS];
    struct heed_check_model_report report;
    const size_t count = support_backends(backends);
    for (size_t i = 1; i < count; i++) {
        struct seen seen = {.nodes = 0};
        check(*state, backends[i].name, "scalar", 1, &seen, &report);
        if (report.over + report.other_over + report.pair_over + report.together_over > 0)
            fail_msg("%s against scalar: %s, %s, %g", backends[i].name, report.first_over.name,
                     report.first_other.name, report.pair);
        assert_true(report.pair >= 0 && report.pair <= 1);
        assert_true(report.same_translation);
    }
    struct seen seen = {.nodes = 0};
    check(*state, "scalar", HEED_TEST_ABUSE_PLUGINS "/heed-backend-faulty.so(fault=tf32)", 1, &seen,
          &report);
    assert_int_equal(report.over, 0);
    assert_true(report.other_over > 10 && report.pair_over > 10 && report.pair > 5);
    assert_string_equal(report.first_other.name, "encoder.0.q_proj");
    assert_int_equal(report.first_other_finding.fault, HEED_CHECK_VALUE);
    assert_int_equal(report.worst_pair.op, HEED_OP_MATMUL);
}

static void test_faulty(void **state) {
    struct seen seen = {.nodes = 0};
    struct heed_check_model_report report;
    check(*state, HEED_TEST_ABUSE_PLUGINS "/heed-backend-faulty.so(fault=tf32)", NULL, 1, &seen,
          &report);
    assert_true(report.over > 10);
    assert_string_equal(report.first_over.graph, "encoder");
    assert_string_equal(report.first_over.name, "encoder.0.q_proj");
    assert_int_equal(report.first_over.op, HEED_OP_MATMUL);
    assert_int_equal(report.first_finding.fault, HEED_CHECK_VALUE);
    assert_true(report.isolated > 10);
    assert_true(report.accumulated > 1e-4);
    assert_true(report.declined > 0); /* all but its three operators */
}

static void test_end(void **state) {
    struct seen seen = {.stop_after = 5};
    struct heed_check_model_report report;
    struct support_backend backends[SUPPORT_BACKENDS];
    assert_true(support_backends(backends) > 0);
    check(*state, backends[0].name, NULL, 1, &seen, &report);
    assert_int_equal(seen.nodes, 5);
}

static void test_wrong_options(void **state) {
    struct heed_check_model_report report;
    struct heed_check_model_options options = {.struct_size = sizeof options};
    assert_int_equal(heed_check_model(*state, NULL, &options, &report),
                     HEED_ERROR_INVALID_ARGUMENT);
    assert_int_equal(heed_check_model(*state, support_model, &options, &report),
                     HEED_ERROR_INVALID_ARGUMENT);
    options.backend = "no_such_backend";
    assert_int_equal(heed_check_model(*state, support_model, &options, &report),
                     HEED_ERROR_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backends),
        cmocka_unit_test(test_against_itself),
        cmocka_unit_test(test_against_another),
        cmocka_unit_test(test_faulty),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_wrong_options),
    };
    return cmocka_run_group_tests(tests, support_model_setup, support_model_teardown);
}
