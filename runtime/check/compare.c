/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing the results of one node with its reference. */
#include <math.h>

#include "runtime/check/check.h"

/* Sums shorter than this have a hard limit under the statistical one: 6 sqrt(K) > K. */
#define STATISTICAL_DEPTH 36

struct limits {
    struct heedi_bound bound;
    double statistical;
    bool use_statistical;
};

/* From where on a magnitude is rounded to infinity: the largest finite value and half a unit in its
 * last place. */
static double overflow_of(enum heed_dtype dtype) {
    return dtype == HEED_F16 ? 65520.0 : dtype == HEED_BF16 ? 0x1.ffp127 : 0x1.ffffffp127;
}

/* Where one of the two is infinite or NaN: a finite reference whose bound reaches beyond the range
 * may have been stored as infinity, all else must match. */
static bool special_agrees(enum heed_dtype dtype, double expected, double actual, double bound) {
    if (isnan(expected) || isnan(actual))
        return isnan(expected) && isnan(actual);
    if (isinf(expected))
        return actual == expected;
    return (actual < 0 ? -expected : expected) + bound >= overflow_of(dtype);
}

/* Whether terms of this total magnitude may overflow f32 on the way and so spoil the result: either
 * the result itself is in range, or terms of the other sign may overflow too. Where all have the
 * sign of a result out of range, infinity is the only answer. */
static bool may_overflow(double expected, double magnitude) {
    const double limit = overflow_of(HEED_F32);
    return isnan(magnitude) ||
           (magnitude >= limit && (fabs(expected) < limit || magnitude - fabs(expected) >= limit));
}

static void judge(const struct limits *limits, enum heed_dtype dtype, double expected,
                  double actual, double magnitude, struct heedi_verdict *element) {
    double rest;
    const double arithmetic = heedi_bound_of(&limits->bound, dtype, expected, magnitude, &rest);
    const double hard = arithmetic + rest; /* infinite: no bound, so only equality agrees */
    *element = (struct heedi_verdict){.agrees = true};
    if (isfinite(expected) && may_overflow(expected, magnitude)) {
        element->unjudged = 1;
        return;
    }
    if (!isfinite(expected) || !isfinite(actual)) {
        const double bound = isfinite(arithmetic) ? arithmetic : 0;
        element->agrees = special_agrees(dtype, expected, actual, bound);
        element->hard = element->agrees ? 0 : INFINITY;
        return;
    }
    const double error = fabs(actual - expected);
    if (error == 0)
        return;
    element->hard = hard > 0 && isfinite(hard) ? error / hard : INFINITY;
    if (limits->use_statistical)
        element->statistical = error / (limits->statistical * magnitude + rest);
    element->agrees = element->hard <= 1;
}

/* Takes a distance into account. No format has more than 24 bits, so that a step from a value is at
 * least 2^-24 of its size: most elements are seen to be closer than the farthest at a glance. */
static void add_ulp(enum heed_dtype dtype, double expected, double actual, double *largest) {
    const double least = fmin(fabs(expected), fabs(actual));
    if (isfinite(expected) && isfinite(actual) &&
        fabs(actual - expected) * 0x1p24 > *largest * least)
        *largest = fmax(*largest, heedi_ulp_distance(dtype, expected, actual));
}

static void compare_output(const struct heedi_call *call, uint32_t output, const void *actual,
                           const double *expected, const double *magnitude,
                           const struct limits *limits, bool random_data, double *worst,
                           struct heedi_verdict *verdict) {
    const struct heed_tensor_desc *desc = &call->outputs[output];
    const int64_t elems = heed_desc_elems(desc);
    for (int64_t i = 0; i < elems; i++) {
        struct heedi_verdict element;
        const double value = heedi_load(actual, desc->dtype, i);
        judge(limits, desc->dtype, expected[i], value, magnitude[i], &element);
        if (random_data && element.statistical > 1)
            element.agrees = false;
        /* Any that disagrees is worse than all that agree, also where only statistics tell. */
        const bool worse =
            element.agrees == verdict->agrees ? element.hard > *worst : !element.agrees;
        verdict->agrees = verdict->agrees && element.agrees;
        verdict->unjudged += element.unjudged;
        if (element.unjudged == 0)
            add_ulp(desc->dtype, expected[i], value, &verdict->largest_ulp);
        verdict->hard = fmax(verdict->hard, element.hard);
        verdict->statistical = fmax(verdict->statistical, element.statistical);
        if (!worse)
            continue;
        *worst = element.hard;
        verdict->output = output;
        verdict->index = i;
        verdict->expected = expected[i];
        verdict->actual = value;
        verdict->ulp = heedi_ulp_distance(desc->dtype, expected[i], value);
    }
}

enum heed_status heedi_reference_make(struct heed_context *context, const struct heedi_call *call,
                                      const void *const inputs[HEED_MAX_INPUTS],
                                      struct heedi_reference *reference) {
    const struct heedi_env *env = &context->env;
    *reference = (struct heedi_reference){.call = call};
    for (uint32_t i = 0; i < call->input_count; i++)
        reference->data[i] = inputs[i];
    for (uint32_t i = 0; i < call->output_count; i++) {
        const size_t elems = (size_t)heed_desc_elems(&call->outputs[i]);
        reference->out[i] = heedi_calloc(env, elems, sizeof(double));
        reference->magnitude[i] = heedi_calloc(env, elems, sizeof(double));
        if (reference->out[i] == NULL || reference->magnitude[i] == NULL)
            return heedi_fail_memory(context, "a reference result", elems * sizeof(double));
    }
    heedi_op_find(call->op)->reference(reference);
    return HEED_OK;
}

void heedi_reference_free(struct heed_context *context, struct heedi_reference *reference) {
    for (uint32_t i = 0; i < reference->call->output_count; i++) {
        heedi_free(&context->env, reference->out[i]);
        heedi_free(&context->env, reference->magnitude[i]);
    }
}

enum heed_status heedi_check_call(struct heed_context *context, const struct heedi_call *call,
                                  const void *const inputs[HEED_MAX_INPUTS],
                                  const void *const outputs[HEED_MAX_OUTPUTS],
                                  const struct heed_numeric_profile *numeric, bool random_data,
                                  struct heedi_verdict *verdict) {
    const double u = heedi_check_roundoff(numeric);
    const double depth = heedi_check_depth(call, numeric);
    const struct limits limits = {
        .bound = heedi_bound_make(depth, numeric),
        .statistical = 6 * sqrt(depth) * u,
        .use_statistical = depth >= STATISTICAL_DEPTH,
    };
    struct heedi_reference reference;
    double worst = 0; /* hard fraction of the element that the verdict names */
    *verdict = (struct heedi_verdict){.agrees = true};
    const enum heed_status status = heedi_reference_make(context, call, inputs, &reference);
    for (uint32_t i = 0; status == HEED_OK && i < call->output_count; i++)
        compare_output(call, i, outputs[i], reference.out[i], reference.magnitude[i], &limits,
                       random_data, &worst, verdict);
    heedi_reference_free(context, &reference);
    return status;
}
