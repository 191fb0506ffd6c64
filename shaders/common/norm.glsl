/* SPDX-License-Identifier: Apache-2.0 */
/* What follows a product in one dispatch: y = layer_norm(product + residual), as layer_norm.comp.
 *
 * Workgroups write columns of product + residual into y; the last of those that share rows
 * normalises these in place. The includer declares `uint b[]` with gamma and beta in it, `it`, the
 * number THREADS of its invocations, and NORM_GET(at) and NORM_PUT(at, value) of shared floats, 128
 * for each of norm_rows().
 *
 * A row is summed in one order whatever its workgroup looks like: 128 sums of the elements 128
 * apart, then these by halves. */
layout(constant_id = HEED_MATMUL_NORM_TYPES) const uint NORM_TYPES = 0;
const uint GAMMA_TYPE = NORM_TYPES & 15, BETA_TYPE = (NORM_TYPES >> 4) & 15;
const uint NORM_SUMS = 128;

layout(binding = 2) readonly buffer Residual { float residual[]; };
layout(binding = 3) coherent buffer Y { uint y[]; }; /* f32, then counters of rows' workgroups */
#include "common/last.glsl"

/* A column of a row of the product, bias included. */
void norm_store(uint row, uint column, float value) {
    precise const float sum = residual[norm.residual_offset + row * it.n + column] + value;
    y[it.y_offset + row * it.n + column] = floatBitsToUint(sum);
}

/* The sum of a row's 128 sums, by `lanes` invocations of which this is number `lane`. */
float norm_total(uint slot, uint lane, uint lanes) {
    barrier();
    for (uint half_width = NORM_SUMS / 2; half_width > 0; half_width /= 2) {
        for (uint i = lane; i < half_width; i += lanes) {
            precise const float sum = NORM_GET(slot + i) + NORM_GET(slot + i + half_width);
            NORM_PUT(slot + i, sum);
        }
        barrier();
    }
    const float total = NORM_GET(slot);
    barrier(); /* all have read it before the next sums come */
    return total;
}

/* Normalises rows [first, end) of y, `together` at a time: a power of two, at most THREADS / 16.
 */
void norm_rows(uint first, uint end, uint together) {
    const uint t = gl_LocalInvocationID.x, lanes = THREADS / together, lane = t % lanes;
    const uint slot = t / lanes * NORM_SUMS;
    for (uint base = first; base < end; base += together) {
        const uint row = min(base + t / lanes, end - 1), from = it.y_offset + row * it.n;
        for (uint i = lane; i < NORM_SUMS; i += lanes) {
            precise float sum = 0.0;
            for (uint j = i; j < it.n; j += NORM_SUMS)
                sum += uintBitsToFloat(y[from + j]);
            NORM_PUT(slot + i, sum);
        }
        const float mean = norm_total(slot, lane, lanes) / float(it.n);
        for (uint i = lane; i < NORM_SUMS; i += lanes) {
            precise float squares = 0.0;
            for (uint j = i; j < it.n; j += NORM_SUMS) {
                precise const float difference = uintBitsToFloat(y[from + j]) - mean;
                squares += difference * difference;
            }
            NORM_PUT(slot + i, squares);
        }
        const float variance = norm_total(slot, lane, lanes) / float(it.n);
        const float factor = 1.0 / sqrt(variance + norm.eps);
        for (uint i = lane; i < it.n && base + t / lanes < end; i += lanes) {
            precise const float difference = uintBitsToFloat(y[from + i]) - mean;
            const uint at = norm.gamma_offset + i, to = norm.beta_offset + i;
            const float gamma = heed_float(GAMMA_TYPE, b[heed_word(GAMMA_TYPE, at)], at);
            const float beta = heed_float(BETA_TYPE, b[heed_word(BETA_TYPE, to)], to);
            precise const float value = difference * factor * gamma + beta;
            y[from + i] = floatBitsToUint(value);
        }
    }
}

/* After norm_store() of all columns of rows [first, end) that this workgroup has; `counter` is the
 * number of these rows' counter, and `arrivals` how many workgroups share them. */
void norm_finish(uint first, uint end, uint together, uint counter, uint arrivals) {
    if (last_to_arrive(norm.counters_offset + counter, arrivals))
        norm_rows(first, end, together);
}
