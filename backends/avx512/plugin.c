/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX-512 backend: products with quantised rows by VNNI, everything else is left to others.
 * This file says whether the processor has what it needs; all else of the plugin interface is in
 * backends/cpu. */
#include <cpuid.h>
#include <stdio.h>

#include "avx512.h"

const struct cpu_kernel heedi_avx512_kernels[AVX512_KERNEL_COUNT] = {
#define KERNEL(ID, function) [AVX512_##ID] = {#function, function},
#include "kernels.inc"
#undef KERNEL
};

static const struct cpu_operator *const operators[HEED_OP_COUNT_PLUS_ONE] = {
    [HEED_OP_MATMUL] = &heedi_avx512_matmul,
};

static uint64_t xgetbv0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* The registers are usable only where the system saves them: OSXSAVE, then bits 1, 2, 5, 6 and 7 of
 * XCR0. */
static const char *unusable(void) {
    const uint32_t foundation = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0 || (xgetbv0() & 0xe6u) != 0xe6u)
        return "this processor has no AVX-512 registers that the system saves";
    if ((c & bit_FMA) == 0)
        return "this processor has no FMA";
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & foundation) != foundation)
        return "this processor has no AVX-512 F, BW, DQ and VL";
    return (c & bit_AVX512VNNI) == 0 ? "this processor has no AVX-512 VNNI" : NULL;
}

static void describe(char *text, size_t bytes) {
    snprintf(text, bytes, "AVX-512 VNNI: 8-bit products");
}

static const struct cpu_backend backend = {
    .operators = operators,
    .unusable = unusable,
    .describe = describe,
    /* Of the functions only exp is used here, in silu; the others are the C library's. */
    .numeric = {.unit_roundoff = 0x1p-24f,
                .exp_ulp = 2.0f,
                .tanh_ulp = 2.0f,
                .erf_ulp = 2.0f,
                .accumulator = HEED_F32},
    .preference = 30,
};

CPU_BACKEND_ENTRY(avx512, "8-bit matrix products by AVX-512 VNNI", backend)
