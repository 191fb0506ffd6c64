/* SPDX-License-Identifier: Apache-2.0 */
/* Processor features. Compiled for the baseline, so it runs on the oldest processor. */
#include "runtime/base/cpu.h"

#include <stdint.h>
#include <string.h>

#include "runtime/base/os.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

static uint64_t xgetbv0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void probe(struct heedi_cpu *cpu) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return;
    cpu->sse42 = (c >> 20) & 1u;
    /* AVX registers are usable only where the system saves them (OSXSAVE, XCR0 bits 1 and 2);
     * AVX-512 needs bits 5 to 7 as well. */
    const uint64_t saved = (c >> 27) & 1u ? xgetbv0() : 0;
    const bool ymm = (saved & 0x06u) == 0x06u;
    const bool zmm = (saved & 0xe6u) == 0xe6u;
    cpu->avx = ymm && ((c >> 28) & 1u);
    cpu->fma = cpu->avx && ((c >> 12) & 1u);
    cpu->f16c = cpu->avx && ((c >> 29) & 1u);
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        cpu->avx2 = cpu->avx && ((b >> 5) & 1u);
        cpu->avx512f = zmm && ((b >> 16) & 1u);
        cpu->avx512bw = cpu->avx512f && ((b >> 30) & 1u);
        cpu->avx512vl = cpu->avx512f && ((b >> 31) & 1u);
        cpu->avx512vnni = cpu->avx512f && ((c >> 11) & 1u);
        if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
            cpu->avxvnni = cpu->avx2 && ((a >> 4) & 1u);
    }
    if (__get_cpuid(0x80000000u, &a, &b, &c, &d) && a >= 0x80000004u) {
        uint32_t brand[12];
        for (uint32_t i = 0; i < 3; i++)
            __get_cpuid(0x80000002u + i, &brand[4 * i], &brand[4 * i + 1], &brand[4 * i + 2],
                        &brand[4 * i + 3]);
        memcpy(cpu->name, brand, sizeof brand);
    }
}
#else
static void probe(struct heedi_cpu *cpu) {
#if defined(__aarch64__)
    cpu->neon = true;
#if defined(__ARM_FEATURE_DOTPROD)
    cpu->dotprod = true;
#endif
#else
    (void)cpu;
#endif
}
#endif

const struct heedi_cpu *heedi_cpu_features(void) {
    static struct heedi_cpu cpu;
    static bool probed;
    heedi_os_global_lock();
    if (!probed) {
        probe(&cpu);
        probed = true;
    }
    heedi_os_global_unlock();
    return &cpu;
}
