/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX2 backend: intrinsics for x86-64 processors with AVX2, FMA and F16C (Intel since 2013, AMD
 * since 2015), and for 8-bit products AVX-VNNI where there is that. All of the plugin interface is
 * in backends/cpu. */
#include <cpuid.h>
#include <stdio.h>

#include "avx2.h"
#include "matmul_i8.h"
#include "ulp.h"

/* AVX-VNNI: leaf 7, sub-leaf 1, bit 4 of eax. */
static bool has_vnni(void) {
    uint32_t a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4) != 0;
}

static void choose_products(struct heed_plugin *plugin) {
    plugin->own = has_vnni() ? &heedi_avx2_i8_vnni : &heedi_avx2_i8_pairs;
}

static void describe(char *text, size_t bytes) {
    snprintf(text, bytes, "AVX2, FMA, F16C%s", has_vnni() ? ", AVX-VNNI" : "");
}

static const struct cpu_backend backend = {
    .operators = heedi_avx2_operators,
    .fuse = heedi_avx2_fuse,
    .unusable = heedi_avx2_unusable,
    .open = choose_products,
    .describe = describe,
    .numeric = {.unit_roundoff = 0x1p-24f,
                .exp_ulp = AVX2_EXP_ULP,
                .tanh_ulp = AVX2_TANH_ULP,
                .erf_ulp = AVX2_ERF_ULP,
                .accumulator = HEED_F32},
    .preference = 20,
};

CPU_BACKEND_ENTRY(avx2, "AVX2, FMA and F16C intrinsics", backend)
