/* SPDX-License-Identifier: Apache-2.0 */
/* How many bits products and sums keep.
 *
 * Operands: (1 + 2^-p) * 1 + (-1) * 1 is exact where operands keep p + 1 bits of their significand,
 * and 0 where they are rounded to fewer. What is accumulated may have fewer bits: then the
 * difference is exact where the -1 is there first, so both orders are tried.
 * Sums: 1 * 1 + 0 + ... + 2^-p * 1, the two terms far apart so that no unit adds both in one step
 * and rounds later, is exact where what is accumulated keeps p + 1 bits. Both factors of each
 * product are powers of two: operands of any precision hold them (p <= 23 lies in the range of
 * f16's subnormals too). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/check/trial.h"

enum { TERMS = 256, MOST_BITS = 24, FAR = 200 };

enum what { SUMS, OPERANDS_FIRST, OPERANDS_LAST };

struct probe {
    int64_t m, n;
    bool constant;
};
static const struct probe probes[] = {
    {1, 64, true}, {1, 5, false}, {32, 64, true}, {17, 33, false}};

static bool fill(const struct heedi_env *env, struct heedi_case_operand *operand,
                 enum heedi_source source, int64_t rows, const float row[TERMS], const char *axes) {
    const int64_t dims[] = {rows, TERMS};
    operand->source = source;
    operand->desc = heed_desc(HEED_F32, 2, dims);
    memcpy(operand->axes, axes, 2);
    operand->data = heedi_calloc(env, (size_t)(rows * TERMS), sizeof *row);
    for (int64_t i = 0; operand->data != NULL && i < rows; i++)
        memcpy((float *)operand->data + i * TERMS, row, TERMS * sizeof *row);
    return operand->data != NULL;
}

/* Whether every element of a product of equal rows and equal columns is exact. */
static enum heed_status try_bits(struct heedi_target *target, const struct probe *probe,
                                 enum what what, int bits, bool *exact, bool *declined) {
    struct heedi_case it = {.op = HEED_OP_MATMUL, .operand_count = 2};
    struct heed_check_finding finding;
    float a[TERMS] = {0}, b[TERMS] = {0};
    const float small = (float)ldexp(1, 1 - bits);
    const int first = what == OPERANDS_LAST ? FAR : 0;
    a[first] = what == SUMS ? 1 : 1 + small;
    a[FAR - first] = what == SUMS ? small : -1;
    b[0] = b[FAR] = 1;
    it.attrs_size = sizeof it.attrs.matmul;
    it.attrs.matmul =
        (struct heed_matmul_attrs){.struct_size = sizeof it.attrs.matmul, .transpose_b = 1};
    enum heed_status status = HEED_OK;
    if (!fill(&target->context->env, &it.operands[0], HEEDI_SOURCE_INPUT, probe->m, a, "mk") ||
        !fill(&target->context->env, &it.operands[1],
              probe->constant ? HEEDI_SOURCE_CONSTANT : HEEDI_SOURCE_INPUT, probe->n, b, "nk"))
        status = heedi_fail_memory(target->context, "a probe", sizeof a);
    if (status == HEED_OK)
        status = heedi_trial(target, &it, 1, NULL, &finding);
    heedi_case_clear(&target->context->env, &it);
    *declined = status == HEED_OK && finding.declined != 0;
    *exact = status == HEED_OK && finding.fault == HEED_CHECK_NONE && finding.hard == 0;
    return status;
}

/* The most bits that a probe keeps, by bisection; 0 where it is declined. */
static enum heed_status find_bits(struct heedi_target *target, const struct probe *probe, bool sum,
                                  uint32_t *bits) {
    const enum what what = sum ? SUMS : OPERANDS_FIRST;
    int low = 1, high = MOST_BITS + 1; /* low is kept, high is not */
    enum heed_status status = HEED_OK;
    while (status == HEED_OK && high - low > 1) {
        /* the most bits first: usually they are kept */
        const int middle = high > MOST_BITS && low == 1 ? MOST_BITS : (low + high) / 2;
        bool exact = false, declined = false;
        status = try_bits(target, probe, what, middle, &exact, &declined);
        if (status == HEED_OK && !exact && !declined && !sum)
            status = try_bits(target, probe, OPERANDS_LAST, middle, &exact, &declined);
        if (declined) {
            *bits = 0;
            return status;
        }
        *(exact ? &low : &high) = middle;
    }
    *bits = (uint32_t)low;
    return status;
}

static const char *name_of(uint32_t operand_bits, uint32_t sum_bits) {
    if (operand_bits == 0)
        return "declined";
    if (operand_bits >= 24)
        return sum_bits >= 24 ? "f32" : sum_bits >= 11 ? "f16 accumulate" : "bf16 accumulate";
    if (operand_bits >= 11)
        return sum_bits > 11 ? "tf32-like" : "f16";
    return "bf16-like";
}

enum heed_status heed_check_precision(struct heed_context *context,
                                      const struct heed_check_options *given,
                                      struct heed_check_precision *precision) {
    struct heed_check_options options;
    struct heedi_target target = {.count = 0};
    if (precision == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_check_precision: precision must not be NULL");
    enum heed_status status = heedi_check_options(context, given, &options);
    if (status != HEED_OK)
        return status;
    options.pool_count = options.pool_count > 1 ? 1 : options.pool_count;
    uint32_t least[2] = {0, 0};
    status = heedi_target_open(context, &options, &target);
    for (size_t i = 0; status == HEED_OK && i < sizeof probes / sizeof *probes; i++)
        for (int sum = 0; status == HEED_OK && sum < 2; sum++) {
            uint32_t bits = 0;
            status = find_bits(&target, &probes[i], sum == 1, &bits);
            if (bits > 0 && (least[sum] == 0 || bits < least[sum]))
                least[sum] = bits;
        }
    if (status != HEED_OK && target.context != NULL)
        heedi_fail(context, status, "%s", heed_last_error(target.context));
    heedi_target_close(&target);
    *precision = (struct heed_check_precision){
        .struct_size = sizeof *precision, .operand_bits = least[0], .sum_bits = least[1]};
    (void)snprintf(precision->name, sizeof precision->name, "%s", name_of(least[0], least[1]));
    return status;
}
