/* SPDX-License-Identifier: Apache-2.0 */
/* What the processor can do, as usable by this process (the system saves the registers too). */
#ifndef HEEDI_BASE_CPU_H
#define HEEDI_BASE_CPU_H

#include <stdbool.h>

struct heedi_cpu {
    bool sse42, avx, f16c, fma, avx2, avx512f, avx512bw, avx512vl, avx512vnni, avxvnni, neon,
        dotprod;
    char name[64]; /* brand string, or "" */
};

/* Computed once; any thread. */
const struct heedi_cpu *heedi_cpu_features(void);

#endif
