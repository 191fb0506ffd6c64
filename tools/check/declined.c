/* SPDX-License-Identifier: Apache-2.0 */
/* What backends may decline, so that what is checked never shrinks unseen. */
#include <math.h>
#include <string.h>

#include "tools/check/check.h"

/* Of backends that come with heed, as measured over 100,000 cases (5,000 with Vulkan), rounded up.
 * NONE: every operator of the backend that is not named. The fallback runs everything; the others
 * leave to it types and forms that models do not have. */
static const struct {
    const char *backend;
    enum heed_op op;
    double share;
} expected[] = {
    {"scalar", HEED_OP_NONE, 0},
    {"avx2", HEED_OP_NONE, 0.005},
    {"avx2", HEED_OP_MATMUL, 0.15},
    {"avx2", HEED_OP_ATTENTION, 0.03},
    {"avx2", HEED_OP_CAST, 0.65},
    {"avx2", HEED_OP_CACHE_APPEND, 0.035},
    {"avx512", HEED_OP_NONE, 0.005},
    {"avx512", HEED_OP_MATMUL, 0.15},
    {"avx512", HEED_OP_ATTENTION, 0.03},
    {"avx512", HEED_OP_CAST, 0.65},
    {"avx512", HEED_OP_CACHE_APPEND, 0.035},
    {"openblas", HEED_OP_NONE, 1},
    {"openblas", HEED_OP_MATMUL, 0.87},
    {"vulkan", HEED_OP_NONE, 0},
    {"vulkan", HEED_OP_MATMUL, 0.54},
    {"vulkan", HEED_OP_ATTENTION, 0.7},
    {"vulkan", HEED_OP_SOFTMAX, 0.5}, /* what is not f32 */
    {"vulkan", HEED_OP_LOG_SOFTMAX, 0.5},
    {"vulkan", HEED_OP_LAYER_NORM, 0.5},
    {"vulkan", HEED_OP_EMBEDDING, 0.2},
    {"vulkan", HEED_OP_POSITIONS, 0.5},
    {"vulkan", HEED_OP_CONCAT, 0.63},
    {"vulkan", HEED_OP_TOP_K, 0.65},
};

double heedi_check_may_decline(const char *backend, enum heed_op op) {
    double share = 1;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (strcmp(expected[i].backend, backend) == 0) {
            if (expected[i].op == op)
                return expected[i].share;
            if (expected[i].op == HEED_OP_NONE)
                share = expected[i].share;
        }
    return share;
}

void heedi_check_count(const struct heedi_checked_backend *backend, enum heed_op op, int64_t *cases,
                       int64_t *declined) {
    *cases = *declined = 0;
    for (size_t i = 0; i < backend->row_count; i++)
        if (backend->rows[i].op == (uint32_t)op) {
            *cases += backend->rows[i].cases;
            *declined += backend->rows[i].declined;
        }
}

const char *heedi_check_declined_reason(const struct heedi_checked_backend *backend,
                                        enum heed_op op) {
    const char *reason = "";
    for (size_t i = 0; i < backend->row_count; i++)
        if (backend->rows[i].op == (uint32_t)op && backend->rows[i].declined > 0)
            reason = backend->rows[i].declined_reason;
    return reason;
}

bool heedi_check_declines_too_much(const struct heedi_checked_backend *backend, enum heed_op op) {
    int64_t cases, declined;
    const double share = heedi_check_may_decline(backend->name, op);
    heedi_check_count(backend, op, &cases, &declined);
    const double drawn = (double)(cases + declined);
    return (double)declined > drawn * share + 4 * sqrt(drawn * share * (1 - share));
}

bool heedi_check_lowers_precision(const struct heedi_checked_backend *backend) {
    const struct heed_check_precision *found = &backend->precision;
    const uint32_t least =
        found->operand_bits < found->sum_bits ? found->operand_bits : found->sum_bits;
    const bool f32 = backend->numeric.accumulator == HEED_F32 || backend->numeric.accumulator == 0;
    /* with b bits the unit roundoff is 2^-b */
    return found->operand_bits > 0 && f32 &&
           ldexp(1, -(int)least) > (double)backend->numeric.unit_roundoff * 1.5;
}

bool heedi_check_holds(const struct heedi_checked_backend *backend) {
    if (heedi_check_lowers_precision(backend))
        return false;
    for (size_t i = 0; i < backend->row_count; i++)
        if (backend->rows[i].failed > 0 ||
            heedi_check_declines_too_much(backend, (enum heed_op)backend->rows[i].op))
            return false;
    return true;
}
