/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes in words and in checked arithmetic. */
#include "runtime/base/shape.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/base/context.h"

bool heedi_shape_check(enum heed_dtype dtype, uint64_t rank, const int64_t *dims, int64_t *elems,
                       size_t *bytes) {
    const size_t element = heed_dtype_bytes(dtype);
    if (element == 0 || rank > HEED_MAX_RANK)
        return false;
    /* The product of the non-zero dims must fit too, so that strides do. */
    int64_t product = 1;
    bool empty = false;
    for (uint64_t i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return false;
        if (dims[i] == 0)
            empty = true;
        else if (!heedi_mul_i64(product, dims[i], &product))
            return false;
    }
    int64_t total;
    if (!heedi_mul_i64(product, (int64_t)element, &total) || (uint64_t)total > SIZE_MAX)
        return false;
    if (elems != NULL)
        *elems = empty ? 0 : product;
    if (bytes != NULL)
        *bytes = empty ? 0 : (size_t)total;
    return true;
}

const char *heedi_shape_print(struct heedi_shape_text *buffer,
                              const struct heed_tensor_desc *desc) {
    const size_t size = sizeof buffer->text;
    size_t used = (size_t)snprintf(buffer->text, size, "%s [", heed_dtype_name(desc->dtype));
    for (uint32_t i = 0; i < desc->rank && i < HEED_MAX_RANK && used < size; i++)
        used += (size_t)snprintf(buffer->text + used, size - used, "%s%" PRId64, i == 0 ? "" : ", ",
                                 desc->dims[i]);
    if (used < size)
        snprintf(buffer->text + used, size - used, "]");
    return buffer->text;
}
