/* SPDX-License-Identifier: Apache-2.0 */
/* The check finds what kernels do wrong: each fault of tests/plugins/faulty.c by its kind, in the
 * right operator, at the right place, as a small case that replays; and nothing where there is
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "heed/check.h"
#include "runtime/check/case.h"
#include "tests/support/memory.h"

#define PLUGIN HEED_TEST_ABUSE_PLUGINS "/heed-backend-faulty.so"

/* What is known of a fault. */
struct planted {
    const char *name;
    enum heed_op op;
    enum heed_check_fault fault; /* VALUE stands for STATISTICAL and SPECIAL too */
    int64_t cases;               /* 0: the usual number, declined ones included */
    int32_t repeat;
    int64_t needed; /* a dimension without which the fault does not show; 0: none */
    bool (*right_place)(const struct heed_check_finding *finding, const struct heedi_case *it);
    const char *message; /* a part of it */
};

struct found {
    struct heed_context *context;
    const struct planted *planted;
    int64_t failures, failed, cases, elsewhere;
    int64_t blocks; /* failures with weights of q8_0 */
    int64_t single; /* only this case; 0: from the first on */
    char backend[512];
    struct heed_pool *pools[2]; /* with one thread and with four; NULL: none */
};

static int setup(void **state) {
    *state = test_context(NULL, NULL, HEED_LOG_ERROR);
    return *state == NULL;
}

static int teardown(void **state) {
    heed_context_destroy(*state);
    return 0;
}

/* ---- places ---- */

static int64_t columns(const struct heedi_case *it) {
    return it->operands[1].desc.dims[it->attrs.matmul.transpose_b ? 0 : 1];
}

static int64_t rows(const struct heedi_case *it) {
    return it->operands[0].desc.dims[it->attrs.matmul.transpose_a ? 1 : 0];
}

static bool in_tile(const struct heed_check_finding *finding, const struct heedi_case *it) {
    (void)it;
    return finding->index[0] / 4 == 1 && finding->index[1] / 4 == 1;
}

static bool is_last(const struct heed_check_finding *finding, const struct heedi_case *it) {
    return finding->index[0] == rows(it) - 1 && finding->index[1] == columns(it) - 1;
}

static bool in_last_column(const struct heed_check_finding *finding, const struct heedi_case *it) {
    return finding->index[1] == columns(it) - 1 && columns(it) % 4 != 0;
}

static bool is_long(const struct heed_check_finding *finding, const struct heedi_case *it) {
    (void)finding;
    return it->operands[0].desc.dims[it->attrs.matmul.transpose_a ? 0 : 1] == 2048;
}

static bool is_causal(const struct heed_check_finding *finding, const struct heedi_case *it) {
    (void)finding;
    return it->attrs.attention.causal != 0;
}

static bool is_nan(const struct heed_check_finding *finding, const struct heedi_case *it) {
    (void)it;
    return finding->expected != finding->expected && finding->actual == 0;
}

static bool anywhere(const struct heed_check_finding *finding, const struct heedi_case *it) {
    (void)finding;
    (void)it;
    return true;
}

/* ---- what is said of a failure ---- */

/* Whether a fault is one of those that wrong arithmetic leads to: infinity too, in f16. */
static bool numeric(uint32_t fault) {
    return fault == HEED_CHECK_VALUE || fault == HEED_CHECK_STATISTICAL ||
           fault == HEED_CHECK_SPECIAL;
}

static void expect_finding(const struct planted *planted, const struct heed_check_finding *finding,
                           const struct heedi_case *it) {
    if (finding->fault != (uint32_t)planted->fault &&
        !(numeric(finding->fault) && planted->fault == HEED_CHECK_VALUE))
        fail_msg("%s: found as '%s'", planted->name,
                 heed_check_fault_name((enum heed_check_fault)finding->fault));
    assert_int_equal(finding->op, planted->op);
    if (!planted->right_place(finding, it))
        fail_msg("%s: found at [%d, %d]", planted->name, (int)finding->index[0],
                 (int)finding->index[1]);
    if (strstr(finding->message, planted->message) == NULL)
        fail_msg("%s: '%s' lacks '%s'", planted->name, finding->message, planted->message);
}

/* The text replays: it fails on the plugin in the same way, and not on a sound one. */
static void expect_replay(const struct found *found, const char *text, size_t bytes) {
    struct heed_check_finding finding;
    struct heed_check_options options = {.struct_size = sizeof options,
                                         .backend = found->backend,
                                         .repeat = found->planted->repeat,
                                         .pools = found->pools,
                                         .pool_count = found->pools[0] != NULL ? 2 : 0};
    assert_int_equal(heed_check_replay(found->context, &options, text, bytes, &finding), HEED_OK);
    if (finding.fault != (uint32_t)found->planted->fault && !numeric(finding.fault))
        fail_msg("%s: replays as '%s'", found->planted->name,
                 heed_check_fault_name((enum heed_check_fault)finding.fault));
    options.backend = PLUGIN "(fault=none)";
    assert_int_equal(heed_check_replay(found->context, &options, text, bytes, &finding), HEED_OK);
    assert_int_equal(finding.fault, HEED_CHECK_NONE);
    assert_false(finding.declined);
}

static bool has_blocks(const struct heedi_case *it) {
    return it->op == HEED_OP_MATMUL && it->operands[1].desc.dtype == HEED_Q8_0;
}

/* Weights of q8_0 come in whole blocks. */
static void expect_small(const struct planted *planted, const struct heedi_case *it) {
    for (uint32_t o = 0; o < it->operand_count; o++)
        for (uint32_t i = 0; i < it->operands[o].desc.rank; i++)
            if (it->operands[o].desc.dims[i] > 8 &&
                it->operands[o].desc.dims[i] != planted->needed &&
                !(has_blocks(it) && it->operands[o].desc.dims[i] == HEED_Q8_0_VALUES))
                fail_msg("%s: operand %u still has a dimension of %d", planted->name, (unsigned)o,
                         (int)it->operands[o].desc.dims[i]);
}

static void take_failure(void *user, const struct heed_check_failure *failure) {
    struct found *found = user;
    const struct planted *planted = found->planted;
    struct heedi_case drawn, smallest;
    found->failures++;
    assert_int_equal(
        heedi_case_draw(found->context, planted->op, 1, failure->drawn->number, &drawn), HEED_OK);
    expect_finding(planted, failure->drawn, &drawn);
    heedi_case_clear(&found->context->env, &drawn);
    assert_int_equal(
        heedi_case_parse(found->context, failure->text, failure->text_bytes, &smallest), HEED_OK);
    expect_finding(planted, failure->smallest, &smallest);
    expect_small(planted, &smallest);
    found->blocks += has_blocks(&smallest);
    heedi_case_clear(&found->context->env, &smallest);
    expect_replay(found, failure->text, failure->text_bytes);
}

static void take_row(void *user, const struct heed_check_row *row) {
    struct found *found = user;
    found->cases += row->cases;
    found->failed += row->failed;
    found->elsewhere += row->op != (uint32_t)found->planted->op ? row->failed : 0;
}

static void check(struct heed_context *context, const struct planted *planted,
                  struct found *found) {
    found->context = context;
    found->planted = planted;
    (void)snprintf(found->backend, sizeof found->backend, "%s(fault=%s)", PLUGIN, planted->name);
    const struct heed_check_options options = {.struct_size = sizeof options,
                                               .backend = found->backend,
                                               .seed = 1,
                                               .first = found->single,
                                               .cases = planted->cases,
                                               .most_drawn = found->single > 0,
                                               .op = (uint32_t)planted->op,
                                               .repeat = planted->repeat,
                                               .shrink = 1,
                                               .pools = found->pools,
                                               .pool_count = found->pools[0] != NULL ? 2 : 0,
                                               .row = take_row,
                                               .failure = take_failure,
                                               .user = found};
    if (heed_check_run(context, &options) != HEED_OK)
        fail_msg("%s: %s", planted->name, heed_last_error(context));
}

/* ---- the tests ---- */

static void test_faults(void **state) {
    static const struct planted all[] = {
        {"tile", HEED_OP_MATMUL, HEED_CHECK_VALUE, 50, 0, 0, in_tile, ""},
        {"ulp", HEED_OP_MATMUL, HEED_CHECK_VALUE, 50, 0, 0, is_last, ""},
        {"edge", HEED_OP_MATMUL, HEED_CHECK_UNWRITTEN, 50, 0, 0, in_last_column, ""},
        {"overrun", HEED_OP_MATMUL, HEED_CHECK_OVERRUN, 50, 0, 0, anywhere,
         "byte 1 after the end of output 0"},
        {"stale", HEED_OP_MATMUL, HEED_CHECK_UNINITIALISED, 17, 0, 0, anywhere, "differ"},
        {"race", HEED_OP_MATMUL, HEED_CHECK_REPEAT, 10, 200, 0, is_last, "1 elements differ"},
        {"f16", HEED_OP_MATMUL, HEED_CHECK_VALUE, 50, 0, 0, anywhere, ""},
        {"tf32", HEED_OP_MATMUL, HEED_CHECK_VALUE, 50, 0, 0, anywhere, ""},
        {"dropped", HEED_OP_MATMUL, HEED_CHECK_VALUE, 0, 0, 2048, is_long, ""},
        {"mask", HEED_OP_ATTENTION, HEED_CHECK_VALUE, 10, 0, 0, is_causal, ""},
        {"swallowed", HEED_OP_RELU, HEED_CHECK_SPECIAL, 100, 0, 0, is_nan, ""},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct found found = {.failures = 0};
        check(*state, &all[i], &found);
        if (found.failures == 0)
            fail_msg("%s: not found in %d cases", all[i].name, (int)found.cases);
        assert_true(found.failed >= found.failures);
    }
}

/* The first cases that fail may all have weights of real numbers. */
static void test_blocks(void **state) {
    static const struct planted tile = {"tile", HEED_OP_MATMUL, HEED_CHECK_VALUE, 1, 0, 0, in_tile,
                                        ""};
    struct found found = {.failures = 0};
    struct heed_context *context = *state;
    for (found.single = 1; found.blocks == 0 && found.single < 5000; found.single++) {
        struct heedi_case it;
        assert_int_equal(heedi_case_draw(context, tile.op, 1, found.single, &it), HEED_OK);
        const bool blocks = has_blocks(&it);
        heedi_case_clear(&context->env, &it);
        if (blocks)
            check(context, &tile, &found);
    }
    assert_true(found.blocks > 0);
}

static void test_threads(void **state) {
    static const struct planted threads = {"threads", HEED_OP_MATMUL, HEED_CHECK_THREADS, 50, 0, 0,
                                           anywhere,  "differ"};
    struct found found = {.failures = 0};
    for (uint32_t i = 0; i < 2; i++) {
        const struct heed_pool_options options = {.struct_size = sizeof options,
                                                  .threads = i == 0 ? 1 : 4};
        assert_int_equal(heed_pool_create(*state, &options, &found.pools[i]), HEED_OK);
    }
    check(*state, &threads, &found);
    assert_true(found.failures > 0);
    for (int i = 0; i < 2; i++)
        heed_pool_release(found.pools[i]);
}

/* All operators, so that a fault is seen in its own and nowhere else. */
static void test_only_there(void **state) {
    static const struct planted matmul = {.name = "tile", .op = HEED_OP_MATMUL};
    struct found found = {.context = *state, .planted = &matmul};
    const struct heed_check_options options = {.struct_size = sizeof options,
                                               .backend = PLUGIN "(fault=tile)",
                                               .seed = 1,
                                               .cases = 20,
                                               .most_drawn = 60,
                                               .row = take_row,
                                               .user = &found};
    assert_int_equal(heed_check_run(*state, &options), HEED_OK);
    assert_true(found.failed > 0);
    assert_int_equal(found.elsewhere, 0);
}

static void test_sound_plugin(void **state) {
    static const struct planted sound[] = {
        {"none", HEED_OP_MATMUL, HEED_CHECK_NONE, 60, 3, 0, anywhere, ""},
        {"none", HEED_OP_ATTENTION, HEED_CHECK_NONE, 10, 3, 0, anywhere, ""},
        {"none", HEED_OP_RELU, HEED_CHECK_NONE, 100, 3, 0, anywhere, ""},
    };
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        struct found found = {.failures = 0};
        check(*state, &sound[i], &found);
        assert_int_equal(found.failed, 0);
        assert_int_equal(found.cases, sound[i].cases);
    }
}

static void test_precision(void **state) {
    static const struct {
        const char *fault, *name;
        uint32_t operand_bits, sum_bits;
    } expected[] = {
        {"none", "f32", 24, 24}, {"f16", "f16 accumulate", 24, 11}, {"tf32", "tf32-like", 11, 24}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char backend[512];
        struct heed_check_precision precision;
        (void)snprintf(backend, sizeof backend, "%s(fault=%s)", PLUGIN, expected[i].fault);
        const struct heed_check_options options = {.struct_size = sizeof options,
                                                   .backend = backend};
        assert_int_equal(heed_check_precision(*state, &options, &precision), HEED_OK);
        assert_string_equal(precision.name, expected[i].name);
        assert_int_equal(precision.operand_bits, expected[i].operand_bits);
        assert_int_equal(precision.sum_bits, expected[i].sum_bits);
    }
}

static void test_wrong_options(void **state) {
    struct heed_check_options options = {.struct_size = sizeof options, .seed = 1};
    struct heed_check_finding finding;
    assert_int_equal(heed_check_run(*state, &options), HEED_ERROR_INVALID_ARGUMENT);
    assert_int_equal(heed_check_run(*state, NULL), HEED_ERROR_INVALID_ARGUMENT);
    options.backend = "no_such_backend";
    assert_int_equal(heed_check_run(*state, &options), HEED_ERROR_NOT_FOUND);
    options.backend = PLUGIN "(fault=none)";
    options.op = HEED_OP_TRANSPOSE;
    assert_int_equal(heed_check_run(*state, &options), HEED_ERROR_INVALID_ARGUMENT);
    options.op = HEED_OP_RELU;
    options.cases = -1;
    assert_int_equal(heed_check_run(*state, &options), HEED_ERROR_INVALID_ARGUMENT);
    options.cases = 1;
    assert_int_equal(heed_check_replay(*state, &options, NULL, 0, &finding),
                     HEED_ERROR_INVALID_ARGUMENT);
    assert_int_equal(heed_check_replay(*state, &options, "nonsense", 8, &finding),
                     HEED_ERROR_FORMAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_threads),       cmocka_unit_test(test_only_there),
        cmocka_unit_test(test_sound_plugin),  cmocka_unit_test(test_precision),
        cmocka_unit_test(test_wrong_options),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
