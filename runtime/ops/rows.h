/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of operators that work along the last dimension, and of cost functions. */
#ifndef HEEDI_OPS_ROWS_H
#define HEEDI_OPS_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/ops/op.h"

/* Walks over the rows of a tensor, a row being the elements along the last dimension:
 *
 *   struct heedi_rows rows;
 *   for (heedi_rows_begin(&rows, desc); rows.valid; heedi_rows_next(&rows))
 *       element i of row `rows.number` lies at rows.offset + i * rows.stride */
struct heedi_rows {
    struct heed_tensor_desc outer; /* the tensor without its last dimension */
    int64_t index[HEED_MAX_RANK];
    int64_t number; /* of the row, in row-major order */
    int64_t offset; /* of its first element */
    int64_t length;
    int64_t stride;
    bool valid;
};

/* desc has a rank >= 1. A tensor with an empty outer dimension has no row. */
void heedi_rows_begin(struct heedi_rows *rows, const struct heed_tensor_desc *desc);
void heedi_rows_next(struct heedi_rows *rows);

/* Dims of `desc` without the last dimension followed by `last` (if >= 0), contiguous. */
struct heed_tensor_desc heedi_desc_with_last(const struct heed_tensor_desc *desc,
                                             enum heed_dtype dtype, int64_t last);

/* Elements and bytes as double, free of overflow. */
double heedi_desc_elems(const struct heed_tensor_desc *desc);
double heedi_desc_bytes(const struct heed_tensor_desc *desc);
/* Every present input read once and every output written once. */
double heedi_call_bytes(const struct heedi_call *call);

/* An i32 element of an optional index tensor of rank 1; `missing` where it is absent. */
int64_t heedi_load_index(const struct heed_tensor_desc *desc, const void *data, int64_t index,
                         int64_t missing);

/* True for a value of enum heed_dtype that is a float type, as attributes hold it. */
bool heedi_is_float_code(uint32_t dtype);

/* Checks with messages: that input `index` (called `what`) has a float type, type i32, a rank. */
enum heed_status heedi_expect_float(struct heedi_call *call, uint32_t index, const char *what);
enum heed_status heedi_expect_i32(struct heedi_call *call, uint32_t index, const char *what);
enum heed_status heedi_expect_rank(struct heedi_call *call, uint32_t index, const char *what,
                                   uint32_t min_rank, uint32_t max_rank);
/* That input `index` is a vector of `length` elements; `meaning` says whose length that is. */
enum heed_status heedi_expect_vector(struct heedi_call *call, uint32_t index, const char *what,
                                     int64_t length, const char *meaning);

#endif
