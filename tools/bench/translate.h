/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of the translation benchmark. */
#ifndef HEEDI_TOOLS_BENCH_TRANSLATE_H
#define HEEDI_TOOLS_BENCH_TRANSLATE_H

#include "tools/bench/bench.h"

/* ideal.c: fills ideal_s, device_s, parts and ran_on from a profiled pass over the text. */
void heedi_bench_ideal(const struct heedi_bench *bench, size_t backend,
                       const struct heed_profile *profile, struct heedi_bench_translation *result);

#endif
