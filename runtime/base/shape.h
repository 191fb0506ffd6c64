/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes in words and in checked arithmetic. */
#ifndef HEEDI_BASE_SHAPE_H
#define HEEDI_BASE_SHAPE_H

#include <stdbool.h>

#include "heed/tensor.h"

/* Checks rank <= HEED_MAX_RANK, dims >= 0, a known dtype, and that elements and bytes fit in
 * int64_t and size_t. Outputs may be NULL. */
bool heedi_shape_check(enum heed_dtype dtype, uint64_t rank, const int64_t *dims, int64_t *elems,
                       size_t *bytes);

/* "f32 [2, 3, 128]" into a buffer; returns the buffer, for use as a printf argument. */
struct heedi_shape_text {
    char text[96];
};
const char *heedi_shape_print(struct heedi_shape_text *buffer, const struct heed_tensor_desc *desc);

#endif
