/* SPDX-License-Identifier: Apache-2.0 */
/* The numerical contract: is what a backend computed within the bound that its operator's error
 * analysis gives?
 *
 * Judged against the operator's f64 reference on the stored operands. With u the unit roundoff that
 * the backend declares, K the operator's depth plus its elementary functions' errors, M the
 * magnitude that the reference computes beside each element:
 *
 *   hard         |actual - expected| <= gamma(K) M + K eta + out,  gamma(K) = K u / (1 - K u)
 *   statistical  |actual - expected| <= 6 sqrt(K) u M + K eta + out
 *
 * gamma: Higham, Accuracy and Stability of Numerical Algorithms, ch. 3. eta: the underflow unit of
 * f32. out: rounding of the stored result. The statistical limit (Higham and Mary 2019) holds with
 * overwhelming probability where roundings behave as independent and weigh alike, that is for long
 * sums of random data, not for logits that spread over hundreds; it is the one that a dropped
 * product or a tf32-like unit exceeds. */
#ifndef HEEDI_CHECK_CHECK_H
#define HEEDI_CHECK_CHECK_H

#include "heed/backend.h"
#include "runtime/ops/op.h"

/* u of the arithmetic in which a backend forms its sums: f32's, or a shorter accumulator's. */
double heedi_check_roundoff(const struct heed_numeric_profile *numeric);

/* K u / (1 - K u); infinity for K u >= 1, where no bound exists. */
double heedi_gamma(double depth, double unit_roundoff);

/* The operator's depth plus the errors of the exponential, tanh or erf that it contains. */
double heedi_check_depth(const struct heedi_call *call, const struct heed_numeric_profile *numeric);

/* Largest error of storing `value` in a type: half a unit in the last place; 0 for integers. */
double heedi_storage_error(enum heed_dtype dtype, double value);

/* What bounds the errors of one call on one backend. */
struct heedi_bound {
    double gamma, underflow;
};
struct heedi_bound heedi_bound_make(double depth, const struct heed_numeric_profile *numeric);
/* The hard bound of an element is the sum of what this returns, for its sums and products, and of
 * *rest, for underflow and for storing it. */
double heedi_bound_of(const struct heedi_bound *bound, enum heed_dtype dtype, double expected,
                      double magnitude, double *rest);

/* Distance of two values in units of the last place of a type: the number of steps between
 * neighbouring representable values; 0 for equal ones, infinity if one is not finite. */
double heedi_ulp_distance(enum heed_dtype dtype, double a, double b);

/* Outcome of a comparison, with the worst element: of those that disagree, or of all where none
 * does, the one with the largest hard fraction. Without any error that is element 0 as zeros. */
struct heedi_verdict {
    bool agrees;
    double hard;        /* largest error of all as a fraction of the hard limit */
    double statistical; /* of the statistical limit; 0 for K < 36, where the hard one is smaller */
    uint32_t output;
    int64_t index; /* row-major, in that output */
    double expected, actual;
    double ulp;         /* distance in the output's type */
    double largest_ulp; /* of all elements */
    /* Elements without a bound because f32 may overflow on the way to a finite result, or cannot
     * tell attention's scores apart. (A sum that is too long for its accumulator, K u >= 1, has no
     * bound either: it disagrees.) */
    int64_t unjudged;
};

/* Computes the results of a call that was inferred, and their magnitudes, into memory of their own.
 * `inputs` point to first elements. Fails only for want of memory; freed in any case. */
enum heed_status heedi_reference_make(struct heed_context *context, const struct heedi_call *call,
                                      const void *const inputs[HEED_MAX_INPUTS],
                                      struct heedi_reference *reference);
void heedi_reference_free(struct heed_context *context, struct heedi_reference *reference);

/* Compares the outputs of one node with its reference. `call` was inferred; `inputs` and `outputs`
 * point to first elements (outputs contiguous), `numeric` is the backend's profile. `random_data`
 * makes the statistical limit part of the verdict. Fails only for want of memory. */
enum heed_status heedi_check_call(struct heed_context *context, const struct heedi_call *call,
                                  const void *const inputs[HEED_MAX_INPUTS],
                                  const void *const outputs[HEED_MAX_OUTPUTS],
                                  const struct heed_numeric_profile *numeric, bool random_data,
                                  struct heedi_verdict *verdict);

/* ---- pair.c ---- */

/* What one of two backends has computed: first elements, contiguous. */
struct heedi_side {
    const struct heed_numeric_profile *numeric;
    const void *outputs[HEED_MAX_OUTPUTS];
};
/* The largest difference of two backends on the same operands, as a fraction of the sum of their
 * hard bounds. Arguments as above. */
enum heed_status heedi_check_pair(struct heed_context *context, const struct heedi_call *call,
                                  const void *const inputs[HEED_MAX_INPUTS],
                                  const struct heedi_side sides[2], double *worst);

#endif
