/* SPDX-License-Identifier: Apache-2.0 */
/* What products have in common: sizes, strides, and whether b is a weight that can be packed. */
#ifndef HEEDI_CPU_MATMUL_H
#define HEEDI_CPU_MATMUL_H

#include "cpu.h"

/* Inputs of matmul, by index. */
enum { MATMUL_A = 0, MATMUL_B = 1, MATMUL_BIAS = 2, MATMUL_B_SCALE = 3 };

/* A product as kernels see it. Batches that share b, and go on where the one before ended in a, are
 * more rows of it. */
struct cpu_matmul_shape {
    int64_t m, n, k, batches;
    int64_t a_row, a_k, b_k, b_n; /* strides */
    int64_t batch_dims[2];
    int64_t a_batch[2], b_batch[2]; /* strides, 0 where it repeats */
};
struct cpu_matmul_shape heedi_cpu_matmul_shape(const struct cpu_node *node);

/* Whether b is a whole weight of two dimensions; then whether its rows are columns of the product.
 */
bool heedi_cpu_matmul_constant(const struct cpu_node *node, bool *transposed);

#endif
