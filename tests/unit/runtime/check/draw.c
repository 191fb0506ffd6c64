/* SPDX-License-Identifier: Apache-2.0 */
/* What is drawn: the same for the same seed, and without a hole that chance left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/check/case.h"
#include "tests/support/memory.h"

static const uint64_t seed = 20240229;

static int setup(void **state) {
    *state = test_context(NULL, NULL, HEED_LOG_ERROR);
    return *state == NULL;
}

static int teardown(void **state) {
    heed_context_destroy(*state);
    return 0;
}

static void must_draw(struct heed_context *context, enum heed_op op, int64_t number,
                      struct heedi_case *it) {
    if (heedi_case_draw(context, op, seed, number, it) != HEED_OK)
        fail_msg("%s", heed_last_error(context));
}

static bool same(const struct heedi_case *a, const struct heedi_case *b) {
    if (a->op != b->op || a->operand_count != b->operand_count || a->attrs_size != b->attrs_size ||
        memcmp(&a->attrs, &b->attrs, sizeof a->attrs) != 0 || a->random_data != b->random_data)
        return false;
    for (uint32_t i = 0; i < a->operand_count; i++) {
        const struct heedi_case_operand *x = &a->operands[i], *y = &b->operands[i];
        if (x->source != y->source || x->form != y->form ||
            memcmp(&x->desc, &y->desc, sizeof x->desc) != 0)
            return false;
        if (x->source != HEEDI_SOURCE_ABSENT &&
            memcmp(x->data, y->data, heedi_operand_bytes(x)) != 0)
            return false;
    }
    return true;
}

static void test_seed_decides(void **state) {
    struct heed_context *context = *state;
    int64_t others = 0;
    for (int64_t number = 0; number < 20; number++) {
        struct heedi_case a, b, c;
        must_draw(context, HEED_OP_MATMUL, number, &a);
        must_draw(context, HEED_OP_MATMUL, number + 1, &c);
        must_draw(context, HEED_OP_MATMUL, number, &b);
        assert_true(same(&a, &b));
        others += !same(&a, &c);
        heedi_case_clear(&context->env, &a);
        heedi_case_clear(&context->env, &b);
        heedi_case_clear(&context->env, &c);
    }
    assert_int_equal(others, 20);
}

struct coverage {
    int64_t forms[HEED_MAX_INPUTS][HEED_Q8_0 + 1][HEEDI_FORMS];
    int64_t empty, ones, odd;
};

static void add(struct coverage *coverage, const struct heedi_case *it) {
    for (uint32_t i = 0; i < it->operand_count; i++) {
        const struct heedi_case_operand *operand = &it->operands[i];
        if (operand->source == HEEDI_SOURCE_ABSENT)
            continue;
        coverage->forms[i][operand->desc.dtype][operand->form]++;
        for (uint32_t d = 0; d < operand->desc.rank; d++) {
            coverage->empty += operand->desc.dims[d] == 0;
            coverage->ones += operand->desc.dims[d] == 1;
            coverage->odd += operand->desc.dims[d] > 2 && operand->desc.dims[d] % 2 == 1;
        }
    }
}

/* States and blocks are plain, and so are vectors of given values but for every other element. */
static bool restricted(enum heed_op op, uint32_t operand, uint32_t dtype) {
    return dtype == HEED_Q8_0 || (op == HEED_OP_CACHE_APPEND && (operand == 0 || operand == 3)) ||
           (op == HEED_OP_ATTENTION && operand >= HEED_ATTENTION_Q_OFFSETS);
}

static void check_coverage(struct heed_context *context, enum heed_op op) {
    struct coverage coverage = {.empty = 0};
    for (int64_t number = 0; number < heedi_case_count(op); number++) {
        struct heedi_case it;
        must_draw(context, op, number, &it);
        add(&coverage, &it);
        heedi_case_clear(&context->env, &it);
    }
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++)
        for (uint32_t dtype = 0; dtype <= HEED_Q8_0; dtype++) {
            int drawn = 0;
            for (int form = 0; form < HEEDI_FORMS; form++)
                drawn += coverage.forms[i][dtype][form] > 0;
            if (drawn != 0 && drawn != (restricted(op, i, dtype) ? drawn : HEEDI_FORMS))
                fail_msg("%s: operand %u of type %s was not drawn in every form", heed_op_name(op),
                         (unsigned)i, heed_dtype_name((enum heed_dtype)dtype));
        }
    if (coverage.empty == 0 || coverage.ones == 0 || coverage.odd == 0)
        fail_msg("%s: %d empty, %d single, %d odd dimensions", heed_op_name(op),
                 (int)coverage.empty, (int)coverage.ones, (int)coverage.odd);
}

static void test_coverage(void **state) {
    int operators = 0;
    for (int op = 0; op < HEED_OP_COUNT_PLUS_ONE; op++)
        if (heedi_case_count((enum heed_op)op) > 0) {
            check_coverage(*state, (enum heed_op)op);
            operators++;
        }
    assert_int_equal(operators, 23);
}

/* Every case that is drawn is a graph that the builder accepts. */
static void test_all_build(void **state) {
    struct heed_context *context = *state;
    for (int op = 0; op < HEED_OP_COUNT_PLUS_ONE; op++)
        for (int64_t number = 0; number < heedi_case_count((enum heed_op)op); number += 3) {
            struct heedi_case it;
            struct heedi_case_graph built;
            must_draw(context, (enum heed_op)op, number, &it);
            if (heedi_case_build(context, &it, &built) != HEED_OK)
                fail_msg("case %d of %s: %s", (int)number, heed_op_name((enum heed_op)op),
                         heed_last_error(context));
            heedi_case_graph_clear(&context->env, &built);
            heedi_case_clear(&context->env, &it);
        }
}

static void test_views_have_no_cases(void **state) {
    struct heedi_case it;
    assert_int_equal(heedi_case_count(HEED_OP_TRANSPOSE), 0);
    assert_int_equal(heedi_case_draw(*state, HEED_OP_TRANSPOSE, seed, 0, &it),
                     HEED_ERROR_UNSUPPORTED);
}

/* A 2 x 3 operand, row-major 1 ... 6, in each form. */
static void check_storage(struct heedi_case_operand *operand, int64_t rows, int64_t columns,
                          const float *expected) {
    float storage[40];
    const struct heed_tensor_desc desc = heedi_operand_storage(operand);
    assert_int_equal(desc.dims[0], rows);
    assert_int_equal(desc.dims[1], columns);
    heedi_operand_store(operand, storage);
    for (int64_t i = 0; i < rows * columns; i++) /* -1: lies between and is NaN */
        assert_true(expected[i] < 0 ? storage[i] != storage[i] : storage[i] == expected[i]);
}

static void test_storage_of_forms(void **state) {
    (void)state;
    float values[] = {1, 2, 3, 4, 5, 6};
    const int64_t dims[] = {2, 3};
    struct heedi_case_operand operand = {.desc = heed_desc(HEED_F32, 2, dims), .data = values};
    check_storage(&operand, 2, 3, values);
    operand.form = HEEDI_FORM_TRANSPOSED;
    operand.perm[0] = 1;
    check_storage(&operand, 3, 2, (const float[]){1, 4, 2, 5, 3, 6});
    operand.form = HEEDI_FORM_STEPPED;
    operand.start[0] = 1;
    operand.step[0] = 1;
    operand.step[1] = 2;
    operand.rest[1] = 1;
    check_storage(
        &operand, 3, 6,
        (const float[]){-1, -1, -1, -1, -1, -1, 1, -1, 2, -1, 3, -1, 4, -1, 5, -1, 6, -1});
    operand.form = HEEDI_FORM_BROADCAST;
    operand.repeated[0] = true;
    values[3] = 1, values[4] = 2, values[5] = 3;
    check_storage(&operand, 1, 3, values);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed_decides),     cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_all_build),        cmocka_unit_test(test_views_have_no_cases),
        cmocka_unit_test(test_storage_of_forms),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
