/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX-512 backend: the kernels of avx2, with 8-bit products by VNNI. All of the plugin
 * interface is in backends/cpu. */
#include <cpuid.h>
#include <stdio.h>

#include "avx512.h"
#include "backends/avx2/ulp.h"

const struct cpu_kernel heedi_avx512_kernels[AVX512_KERNEL_COUNT] = {
#define KERNEL(ID, function) [AVX512_##ID] = {#function, function},
#include "kernels.inc"
#undef KERNEL
};

static uint64_t xgetbv0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* The registers are usable only where the system saves them: OSXSAVE, which avx2 asks for, then
 * bits 1, 2, 5, 6 and 7 of XCR0. */
static const char *unusable(void) {
    const uint32_t foundation = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    uint32_t a, b, c, d;
    const char *reason = heedi_avx2_unusable();
    if (reason != NULL)
        return reason;
    if ((xgetbv0() & 0xe6u) != 0xe6u)
        return "this processor has no AVX-512 registers that the system saves";
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & foundation) != foundation)
        return "this processor has no AVX-512 F, BW, DQ and VL";
    return (c & bit_AVX512VNNI) == 0 ? "this processor has no AVX-512 VNNI" : NULL;
}

static void choose_products(struct heed_plugin *plugin) {
    plugin->own = plugin->option ? &heedi_avx512_vnni_256 : &heedi_avx512_vnni;
}

static void describe(char *text, size_t bytes) {
    snprintf(text, bytes, "AVX2, FMA, F16C; 8-bit products by AVX-512 VNNI");
}

static const struct cpu_backend backend = {
    .operators = heedi_avx2_operators,
    .fuse = heedi_avx2_fuse,
    .unusable = unusable,
    .open = choose_products,
    .option = "width=256",
    .describe = describe,
    .numeric = {.unit_roundoff = 0x1p-24f,
                .exp_ulp = AVX2_EXP_ULP,
                .tanh_ulp = AVX2_TANH_ULP,
                .erf_ulp = AVX2_ERF_ULP,
                .accumulator = HEED_F32},
    .preference = 30,
};

CPU_BACKEND_ENTRY(avx512, "the kernels of avx2, and 8-bit products by AVX-512 VNNI", backend)
