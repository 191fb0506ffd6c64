/* SPDX-License-Identifier: Apache-2.0 */
/* Two backends on the same operands: each is within its bound of the exact result, so that they
 * differ by no more than the sum of both. */
#include <math.h>

#include "runtime/check/check.h"

enum heed_status heedi_check_pair(struct heed_context *context, const struct heedi_call *call,
                                  const void *const inputs[HEED_MAX_INPUTS],
                                  const struct heedi_side sides[2], double *worst) {
    struct heedi_reference reference;
    struct heedi_bound bounds[2];
    *worst = 0;
    for (int side = 0; side < 2; side++)
        bounds[side] =
            heedi_bound_make(heedi_check_depth(call, sides[side].numeric), sides[side].numeric);
    const enum heed_status status = heedi_reference_make(context, call, inputs, &reference);
    for (uint32_t i = 0; i < call->output_count; i++) {
        const enum heed_dtype dtype = call->outputs[i].dtype;
        const int64_t elems = status == HEED_OK ? heed_desc_elems(&call->outputs[i]) : 0;
        for (int64_t e = 0; e < elems; e++) {
            const double a = heedi_load(sides[0].outputs[i], dtype, e);
            const double b = heedi_load(sides[1].outputs[i], dtype, e);
            double sum = 0, rest;
            for (int side = 0; side < 2; side++) {
                sum += heedi_bound_of(&bounds[side], dtype, reference.out[i][e],
                                      reference.magnitude[i][e], &rest);
                sum += rest;
            }
            /* what is infinite or has no bound is looked at on each side for itself */
            if (isfinite(a) && isfinite(b) && isfinite(sum) && a != b)
                *worst = fmax(*worst, fabs(a - b) / sum);
        }
    }
    heedi_reference_free(context, &reference);
    return status;
}
