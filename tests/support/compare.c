/* SPDX-License-Identifier: Apache-2.0 */
/* Judging a node by runtime/check, and saying what is wrong. */
#include "tests/support/compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/shape.h"

static const char *current_replay = "";

void compare_where(const char *replay) {
    current_replay = replay;
}

const char *compare_replay(void) {
    return current_replay;
}

void compare_store(void *data, enum heed_dtype dtype, int64_t offset_elems, float value) {
    if (dtype == HEED_F32)
        ((float *)data)[offset_elems] = value;
    else if (dtype == HEED_F16)
        ((uint16_t *)data)[offset_elems] = heed_f32_to_f16(value);
    else
        ((uint16_t *)data)[offset_elems] = heed_f32_to_bf16(value);
}

void compare_call(struct heed_context *context, const struct heedi_call *call,
                  const void *const inputs[HEED_MAX_INPUTS],
                  const void *const outputs[HEED_MAX_OUTPUTS],
                  const struct heed_numeric_profile *numeric, bool random_data) {
    struct heedi_verdict verdict;
    struct heedi_shape_text text;
    if (heedi_check_call(context, call, inputs, outputs, numeric, random_data, &verdict) != HEED_OK)
        fail_msg("%s", heed_last_error(context));
    if (verdict.agrees)
        return;
    for (uint32_t i = 0; i < call->input_count; i++)
        if (call->inputs[i] != NULL)
            print_error("input %u: %s\n", (unsigned)i, heedi_shape_print(&text, call->inputs[i]));
    fail_msg("%s, %s: output %u, %s, element %lld: expected %.9g, found %.9g, %.3g ULP, %.3g of "
             "the hard and %.3g of the statistical limit",
             heed_op_name(call->op), current_replay, (unsigned)verdict.output,
             heedi_shape_print(&text, &call->outputs[verdict.output]), (long long)verdict.index,
             verdict.expected, verdict.actual, verdict.ulp, verdict.hard, verdict.statistical);
}
