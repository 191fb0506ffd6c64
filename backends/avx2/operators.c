/* SPDX-License-Identifier: Apache-2.0 */
/* Which operators the plugin runs, and whether the processor has what they need: for this plugin
 * and for others that build on its kernels. */
#include <cpuid.h>

#include "avx2.h"

const struct cpu_kernel heedi_avx2_kernels[AVX2_KERNEL_COUNT] = {
#define KERNEL(ID, function) [AVX2_##ID] = {#function, function},
#include "kernels.inc"
#undef KERNEL
};

const struct cpu_operator *const heedi_avx2_operators[HEED_OP_COUNT_PLUS_ONE] = {
    [HEED_OP_MATMUL] = &heedi_avx2_matmul,
    [HEED_OP_ATTENTION] = &heedi_avx2_attention,
    [HEED_OP_SOFTMAX] = &heedi_avx2_softmax,
    [HEED_OP_LOG_SOFTMAX] = &heedi_avx2_log_softmax,
    [HEED_OP_LAYER_NORM] = &heedi_avx2_layer_norm,
    [HEED_OP_ADD] = &heedi_avx2_binary,
    [HEED_OP_MUL] = &heedi_avx2_binary,
    [HEED_OP_SCALE] = &heedi_avx2_scale,
    [HEED_OP_RELU] = &heedi_avx2_unary,
    [HEED_OP_GELU] = &heedi_avx2_gelu,
    [HEED_OP_SILU] = &heedi_avx2_unary,
    [HEED_OP_TANH] = &heedi_avx2_unary,
    [HEED_OP_SIGMOID] = &heedi_avx2_unary,
    [HEED_OP_EMBEDDING] = &heedi_avx2_embedding,
    [HEED_OP_POSITIONS] = &heedi_avx2_positions,
    [HEED_OP_CONCAT] = &heedi_cpu_concat,
    [HEED_OP_COPY] = &heedi_cpu_copy,
    [HEED_OP_CAST] = &heedi_avx2_cast,
    [HEED_OP_ARGMAX] = &heedi_avx2_argmax,
    [HEED_OP_TOP_K] = &heedi_avx2_top_k,
    [HEED_OP_CACHE_APPEND] = &heedi_avx2_cache_append,
    [HEED_OP_GATHER_ROWS] = &heedi_cpu_gather_rows,
    [HEED_OP_ADVANCE] = &heedi_cpu_advance,
};

static uint64_t xgetbv0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* The registers are usable only where the system saves them: OSXSAVE, then bits 1 and 2 of XCR0. */
const char *heedi_avx2_unusable(void) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_AVX) == 0)
        return "this processor has no AVX";
    if ((c & bit_OSXSAVE) == 0 || (xgetbv0() & 6u) != 6u)
        return "the system does not save the registers of AVX";
    if ((c & bit_FMA) == 0)
        return "this processor has no FMA";
    if ((c & bit_F16C) == 0)
        return "this processor has no F16C";
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & bit_AVX2) == 0)
        return "this processor has no AVX2";
    return NULL;
}
