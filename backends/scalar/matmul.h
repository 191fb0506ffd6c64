/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of matmul share: how the work is cut into pieces, and what happens to sums. */
#ifndef HEEDI_SCALAR_MATMUL_H
#define HEEDI_SCALAR_MATMUL_H

#include "backends/cpu/matmul.h"
#include "scalar.h"

enum {
    SCALAR_MATMUL_COLUMNS = 16, /* of a panel */
    SCALAR_MATMUL_TILE = 4,     /* rows of a micro-kernel */
    SCALAR_MATMUL_ROWS = 64     /* rows of a piece of work */
};

struct scalar_matmul {
    const struct cpu_call *call;
    struct cpu_matmul_shape shape;
    int64_t row_chunks, column_panels;
    const float *packed; /* NULL: pack on the way */
};

/* What is added and multiplied in when a panel's results are stored. */
struct scalar_finish {
    int64_t first, columns; /* columns [first, first + columns) of the result */
    bool scaled, biased;
    float scale[SCALAR_MATMUL_COLUMNS], bias[SCALAR_MATMUL_COLUMNS];
};

/* ---- matmul.c ---- */
struct scalar_matmul heedi_scalar_matmul_work(const struct cpu_call *call);
struct scalar_finish heedi_scalar_matmul_finish(const struct scalar_matmul *work, int64_t panel);
/* Adds the bias to sums that are scaled, activates, and stores them in a row of the result. */
void heedi_scalar_matmul_store(const struct scalar_matmul *work, const struct scalar_finish *finish,
                               int64_t row, float *sums);

/* ---- matmul_i8.c ---- */
enum heed_status heedi_scalar_matmul_quantized_prepare(struct cpu_node *node,
                                                       struct heed_error *error);

#endif
