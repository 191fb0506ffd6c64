/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the comparison share: a node with operands, and its judgement. */
#ifndef HEED_TESTS_UNIT_RUNTIME_CHECK_CHECK_TEST_H
#define HEED_TESTS_UNIT_RUNTIME_CHECK_CHECK_TEST_H

#include "runtime/check/check.h"
#include "runtime/check/random.h"
#include "tests/support/memory.h"
#include "tests/unit/runtime/ops/op_test.h"

/* IEEE arithmetic to nearest with a good libm. */
static const struct heed_numeric_profile check_numeric = {
    .unit_roundoff = 0x1p-24f, .exp_ulp = 1, .tanh_ulp = 2, .erf_ulp = 1, .accumulator = HEED_F32};

/* Memory for input `index`, filled with standard normal numbers. */
static inline float *check_give_normal(struct op_case *c, struct heedi_random *random,
                                       uint32_t index, uint32_t rank, const int64_t *dims) {
    op_describe(c, index, HEED_F32, rank, dims);
    const int64_t elems = heed_desc_elems(&c->descs[index]);
    float *data = malloc((size_t)elems * sizeof *data + (elems == 0));
    assert_non_null(data);
    for (int64_t i = 0; i < elems; i++)
        data[i] = heedi_random_value(random, HEEDI_VALUES_NORMAL);
    c->data[index] = data;
    return data;
}

static inline enum heed_status check_try(struct heed_context *context, struct op_case *c,
                                         const struct heed_numeric_profile *numeric,
                                         bool random_data, const void *y0, const void *y1,
                                         struct heedi_verdict *verdict) {
    const void *inputs[HEED_MAX_INPUTS], *outputs[HEED_MAX_OUTPUTS] = {y0, y1};
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++)
        inputs[i] = c->data[i];
    op_infer(c);
    memset(verdict, 0x5a, sizeof *verdict); /* all of it is to be written */
    return heedi_check_call(context, &c->call, inputs, outputs, numeric, random_data, verdict);
}

static inline struct heedi_verdict check_judge(struct op_case *c,
                                               const struct heed_numeric_profile *numeric,
                                               bool random_data, const void *y0, const void *y1) {
    struct heed_context *context = test_context(NULL, NULL, HEED_LOG_ERROR);
    struct heedi_verdict verdict;
    assert_non_null(context);
    assert_int_equal(check_try(context, c, numeric, random_data, y0, y1, &verdict), HEED_OK);
    heed_context_destroy(context);
    return verdict;
}

#endif
