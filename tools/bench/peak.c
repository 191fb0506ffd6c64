/* SPDX-License-Identifier: Apache-2.0 */
/* The loops that find a processor's limits.
 *
 * One body, compiled for several instruction sets, the widest that the processor has chosen when
 * the program runs. Multiply-adds are written as a * b + c; this file alone is compiled with
 * contraction allowed, so that they become one instruction where there is one. Each instruction
 * set has enough independent chains to hide the latency (two units of four cycles need eight) and
 * few enough to stay in its registers. */
#include "tools/bench/roofline.h"

#include <string.h>

#if defined(__GNUC__) && defined(__x86_64__)
#define X86 1
#else
#define X86 0
#endif

/* run(): CHAINS vectors of LANES floats. Values approach addend / (1 - factor) and stay normal. */
#define PEAK_KERNEL(name, target, LANES, CHAINS)                                                   \
    target static void name(uint64_t rounds, const float *seed, float *result) {                   \
        typedef float vector __attribute__((vector_size(4 * (LANES))));                            \
        vector chain[CHAINS], factor, addend, sum;                                                 \
        memcpy(&factor, seed, sizeof factor);                                                      \
        memcpy(&addend, seed + 16, sizeof addend);                                                 \
        for (int i = 0; i < (CHAINS); i++)                                                         \
            memcpy(&chain[i], seed + i, sizeof chain[i]);                                          \
        for (uint64_t r = 0; r < rounds; r++)                                                      \
            UNROLL for (int i = 0; i < (CHAINS); i++) chain[i] = chain[i] * factor + addend;       \
        sum = chain[0];                                                                            \
        for (int i = 1; i < (CHAINS); i++)                                                         \
            sum += chain[i];                                                                       \
        memcpy(result, &sum, sizeof sum);                                                          \
    }

/* read(): eight sums of LANES 64-bit words, so that additions never wait for each other. */
#define READ_KERNEL(name, target, LANES)                                                           \
    target static uint64_t name(const void *memory, size_t bytes) {                                \
        typedef uint64_t vector __attribute__((vector_size(8 * (LANES))));                         \
        const char *at = memory;                                                                   \
        vector sums[8] = {{0}};                                                                    \
        uint64_t words[LANES], total = 0;                                                          \
        for (size_t done = 0; done < bytes; done += sizeof sums, at += sizeof sums)                \
            UNROLL for (int i = 0; i < 8; i++) {                                                   \
                vector words_read;                                                                 \
                memcpy(&words_read, at + (size_t)i * sizeof words_read, sizeof words_read);        \
                sums[i] += words_read;                                                             \
            }                                                                                      \
        for (int i = 1; i < 8; i++)                                                                \
            sums[0] += sums[i];                                                                    \
        memcpy(words, &sums[0], sizeof words);                                                     \
        for (int i = 0; i < (LANES); i++)                                                          \
            total += words[i];                                                                     \
        return total;                                                                              \
    }

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define BASELINE

PEAK_KERNEL(peak_baseline, BASELINE, 4, 12)
READ_KERNEL(read_baseline, BASELINE, 2)

#if X86
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f")))
PEAK_KERNEL(peak_avx2, AVX2, 8, 12)
READ_KERNEL(read_avx2, AVX2, 4)
PEAK_KERNEL(peak_avx512, AVX512, 16, 24)
READ_KERNEL(read_avx512, AVX512, 8)
#endif

size_t heedi_bench_peak_kernels(const struct heedi_bench_peak_kernel **kernels) {
    static const struct heedi_bench_peak_kernel all[] = {
        {"baseline, 128 bits", 2.0 * 4 * 12, peak_baseline},
#if X86
        {"AVX2 and FMA, 256 bits", 2.0 * 8 * 12, peak_avx2},
        {"AVX-512, 512 bits", 2.0 * 16 * 24, peak_avx512},
#endif
    };
    *kernels = all;
#if X86
    if (__builtin_cpu_supports("avx512f"))
        return 3;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return 2;
#endif
    return 1;
}

heedi_bench_read_fn heedi_bench_read_kernel(void) {
#if X86
    if (__builtin_cpu_supports("avx512f"))
        return read_avx512;
    if (__builtin_cpu_supports("avx2"))
        return read_avx2;
#endif
    return read_baseline;
}
