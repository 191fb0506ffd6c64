/* SPDX-License-Identifier: Apache-2.0 */
/* The register tiles of matmul, see tile.h. */
#ifndef HEEDI_AVX2_MATMUL_TILES_H
#define HEEDI_AVX2_MATMUL_TILES_H

#include "matmul.h"

enum { MATMUL_WIDE_ROWS = 3 }; /* up to so many rows several panels fit into a tile */

typedef void (*matmul_tile_fn)(const struct tile_operands *it);

/* Indexed by rows - 1. */
struct matmul_tiles {
    matmul_tile_fn direct[TILE_ROWS];      /* a where it lies, one panel */
    matmul_tile_fn wide[MATMUL_WIDE_ROWS]; /* a where it lies; 4, 3, 2 panels */
    matmul_tile_fn strip[TILE_ROWS];       /* a in strips of 6 rows, one panel */
};
const struct matmul_tiles *heedi_avx2_matmul_tiles(enum heed_dtype b_type);

static inline int matmul_wide_panels(int64_t rows) {
    return rows <= MATMUL_WIDE_ROWS ? 5 - (int)rows : 1;
}

#endif
