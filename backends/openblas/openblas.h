/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenBLAS plugin from the inside: what its files share beside backends/cpu.
 *
 * It runs matrix products and leaves everything else to the backends after it. The layout and the
 * pieces of a product are settled when it is compiled; a run calls CBLAS for each piece from the
 * host's parallel_for. Pieces follow shapes only. OpenBLAS itself stays on one thread: see
 * heedi_openblas_single_thread. */
#ifndef HEEDI_OPENBLAS_OPENBLAS_H
#define HEEDI_OPENBLAS_OPENBLAS_H

#include "backends/cpu/cpu.h"

/* Most columns of a piece of the result. */
#define OPENBLAS_COLUMNS 1024

/* Inputs of matmul. */
enum { MATMUL_A = 0, MATMUL_B = 1, MATMUL_BIAS = 2, MATMUL_B_SCALE = 3 };

/* A matrix as CBLAS takes it, in row-major order: elements of a row lie side by side, or, where it
 * is `turned`, those of a column, and `leading` elements lie between one and the next. */
struct openblas_matrix {
    bool turned;
    int64_t leading;
    int64_t row_stride, column_stride;
    int64_t batch[2]; /* strides of the two dimensions in front, 0 where it repeats */
};

/* y = act(a b + bias), m x k times k x n, batch_dims[0] * batch_dims[1] times. */
struct openblas_product {
    struct openblas_matrix a, b;
    int64_t m, n, k;
    int64_t batch_dims[2];
    int64_t piece_rows, piece_columns; /* of a piece, the last of a row or column excepted */
    int64_t row_pieces, column_pieces;
    const float *converted; /* b, by the host's prepared weights, or NULL: as it is */
};

/* kernels.inc is the one list of kernels. */
enum openblas_kernel_id {
#define KERNEL(ID, function) OPENBLAS_##ID,
#include "kernels.inc"
#undef KERNEL
    OPENBLAS_KERNEL_COUNT
};
#define KERNEL(ID, function) void function(const struct cpu_call *call);
#include "kernels.inc"
#undef KERNEL
extern const struct cpu_kernel heedi_openblas_kernels[OPENBLAS_KERNEL_COUNT];

/* ---- claim.c ---- */
extern const struct cpu_operator heedi_openblas_matmul;

/* ---- matmul.c ---- */
/* Decides how the result is cut into pieces. */
void heedi_openblas_cut(struct openblas_product *product);
/* b as f32, made once per weight: see heed_prepare_fn. `arg` is the host. */
enum heed_status heedi_openblas_convert(void *arg, const struct heed_tensor_desc *desc,
                                        const void *data, void **object, size_t *bytes,
                                        struct heed_error *error);
void heedi_openblas_converted_destroy(void *object);
const float *heedi_openblas_converted_data(const void *object);

/* ---- library.c: all that is not a product ---- */
/* NULL, or why this OpenBLAS is not used on this processor. */
const char *heedi_openblas_unusable(void);
/* Keeps OpenBLAS from starting threads of its own. Its thread count belongs to the whole process,
 * and so does this: a program that uses OpenBLAS beside Heed gets one thread per call, until it
 * asks for more with openblas_set_num_threads, which hurts here only the speed and what is said
 * about bits. (openblas_set_num_threads_local of later versions sets the same count where OpenBLAS
 * has its own threads.) */
void heedi_openblas_single_thread(struct heed_plugin *plugin);
/* The kernels that OpenBLAS chose for this processor, and how it was built. */
void heedi_openblas_describe(char *text, size_t bytes);

#endif
