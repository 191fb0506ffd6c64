/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows from the inside: packed weights and register tiles.
 *
 * One instruction multiplies and adds `unit` neighbours along k, which are 4 bytes of a: two i16
 * for vpmaddwd, which every processor with AVX2 has, or four bytes for VNNI's vpdpbusd. Its first
 * operand is unsigned, so such rows are held as q + 128, and sums start at -128 times the sum of
 * the column of b that they belong to, which packing works out:
 *
 *     sum_k (q_k + 128) b_k - 128 sum_k b_k = sum_k q_k b_k
 *
 * What is between may wrap modulo 2^32; the result fits, as ops.h shows. So sums are exact, and all
 * forms of the product have the same bits. */
#ifndef HEEDI_AVX2_MATMUL_I8_H
#define HEEDI_AVX2_MATMUL_I8_H

#include "avx2.h"

enum {
    I8_UNIT_BYTES = 4, /* of a row of a, for `unit` values */
    I8_MOST_ROWS = 6,  /* of a register tile, and most panels of 16 columns */
    I8_MOST_PANELS = 4
};

/* Panels of 16 columns of b, zeros beyond n and k. A block is all of k, or 32 of q8_0. */
struct avx2_i8_panels {
    const struct heed_host *host;
    int8_t *values;  /* [panels][k / unit, rounded up][16][unit] */
    int32_t *starts; /* [panels][blocks][16]: -128 times the sum of a block's column, or zeros */
    float *scales;   /* [panels][blocks][16]; NULL unless b is q8_0 */
};

/* A register tile: y = (rows of a) (columns of b), scaled. */
struct i8_tile {
    const char *a; /* rows a_row bytes apart */
    int64_t a_row;
    const float *a_scales; /* of its rows */
    int64_t units;         /* of a row */
    const int8_t *b;       /* the first panel, of b_panel bytes */
    int64_t b_panel;
    const int32_t *starts; /* of the first panel, `blocks` times 16 for each */
    int64_t blocks;
    const float *b_scales; /* i8: of its columns; q8_0: as starts */
    float *y;              /* rows y_row elements apart */
    int64_t y_row;
};
typedef void (*i8_tile_fn)(const struct i8_tile *it);

/* Tiles of 1 to `rows` rows (index: rows - 1) by one panel and, if there are more, by `panels`. */
struct i8_tiles {
    int64_t rows, panels;
    i8_tile_fn narrow[I8_MOST_ROWS], wide[I8_MOST_ROWS];
};

/* A form of the product: the instruction and the registers that it uses. */
struct avx2_i8 {
    int64_t unit;                       /* 2 or 4 */
    const char *layout_nk, *layout_kn;  /* of packed weights */
    const struct cpu_kernel *i8, *q8_0; /* which call heedi_avx2_run_i8 with this form */
    struct i8_tiles i8_tiles, q8_0_tiles;
};

/* vpmaddwd; VNNI for 256 bits, which only runs on processors that have AVX-VNNI. */
extern const struct avx2_i8 heedi_avx2_i8_pairs, heedi_avx2_i8_vnni;

/* ---- matmul_i8.c ---- */
/* The form is that of the plugin. */
const char *heedi_avx2_accept_i8(struct cpu_node *node);
enum heed_status heedi_avx2_prepare_i8(struct heed_plugin *plugin, struct cpu_node *node,
                                       struct heed_error *error);
/* One or several products of one a, or one and the choice from it. */
void heedi_avx2_run_i8(const struct cpu_call *call, const struct avx2_i8 *form);

/* ---- matmul_i8_pack.c ---- */
/* Panels of a constant b, in node->prepared; NULL and HEED_OK where b is no whole constant. */
enum heed_status heedi_avx2_acquire_i8_panels(struct heed_plugin *plugin, struct cpu_node *node,
                                              const struct avx2_i8 *form,
                                              const struct avx2_i8_panels **panels,
                                              struct heed_error *error);
/* Bytes that the panels of b take; 0 if they are too many. */
size_t heedi_avx2_i8_panels_bytes(const struct heed_tensor_desc *b, int64_t k, int64_t n,
                                  const struct avx2_i8 *form);
/* Packs any other b into so many bytes at `memory`. */
void heedi_avx2_pack_i8(const struct cpu_call *call, const struct avx2_i8 *form, int64_t k,
                        int64_t n, void *memory, struct avx2_i8_panels *panels);

#endif
