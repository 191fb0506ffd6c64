/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows from the inside: packed weights, shared by matmul_i8.c,
 * matmul_i8_pack.c and matmul.c. */
#ifndef HEEDI_AVX2_MATMUL_I8_H
#define HEEDI_AVX2_MATMUL_I8_H

#include "matmul.h"

/* Panels of 16 columns of b, zeros beyond n and an odd k. */
struct avx2_i8_panels {
    const struct heed_host *host;
    int8_t *values; /* [panels][k / 2, rounded up][16][2] */
    float *scales;  /* [panels][k / 32][16]; NULL unless b is q8_0 */
};

/* ---- matmul_i8.c ---- */
const char *heedi_avx2_accept_i8(struct cpu_node *node);
enum heed_status heedi_avx2_prepare_i8(struct heed_plugin *plugin,
                                       const struct heed_subgraph *subgraph, struct cpu_node *node,
                                       struct heed_error *error);

/* ---- matmul_i8_pack.c ---- */
/* Panels of a constant b, in node->prepared; NULL and HEED_OK where b is no whole constant. */
enum heed_status heedi_avx2_acquire_i8_panels(struct heed_plugin *plugin,
                                              const struct heed_subgraph *subgraph,
                                              struct cpu_node *node,
                                              const struct avx2_i8_panels **panels,
                                              struct heed_error *error);
/* Packs any other b into the scratch; returns what lies behind it. */
char *heedi_avx2_pack_i8(const struct cpu_call *call, int64_t k, int64_t n, char *scratch,
                         struct avx2_i8_panels *panels);

#endif
