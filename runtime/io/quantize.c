/* SPDX-License-Identifier: Apache-2.0 */
/* Writing weights quantised: symmetric, to nearest. */
#include "runtime/io/quantize.h"

#include <math.h>

#include "heed/ops.h"

enum { BLOCK = 1024 }; /* a multiple of a q8_0 block */

static void refuse(struct heedi_output *output, const struct heedi_float_matrix *matrix,
                   const char *complaint) {
    if (output->status == HEED_OK)
        output->status = heedi_fail(output->context, HEED_ERROR_UNSUPPORTED,
                                    "%s: tensor '%.200s' cannot be quantised: %s", output->path,
                                    matrix->name, complaint);
}

/* The greatest magnitude of `count` elements; infinity where one is not finite. */
static float greatest(const struct heedi_float_matrix *matrix, int64_t first, int64_t count) {
    float most = 0.0f;
    for (int64_t i = 0; i < count; i++) {
        const float magnitude =
            fabsf(heedi_output_load(matrix->data, matrix->dtype, (size_t)(first + i)));
        if (!(magnitude <= most))
            most = isfinite(magnitude) ? magnitude : INFINITY;
    }
    return most;
}

/* Scale of a row; false where the output has failed. */
static bool row_scale(struct heedi_output *output, const struct heedi_float_matrix *matrix,
                      int64_t row, float *scale, float *factor) {
    if (output->status != HEED_OK)
        return false;
    const float most = greatest(matrix, row * matrix->columns, matrix->columns);
    *scale = heed_quantize_scale(most, factor);
    if (isfinite(*scale))
        return true;
    refuse(output, matrix, "a value is not finite");
    return false;
}

void heedi_output_i8_values(struct heedi_output *output, const struct heedi_float_matrix *matrix) {
    float scale, factor;
    for (int64_t row = 0; row < matrix->rows; row++) {
        if (!row_scale(output, matrix, row, &scale, &factor))
            return;
        for (int64_t p = 0; p < matrix->columns; p += BLOCK) {
            const int64_t count = matrix->columns - p < BLOCK ? matrix->columns - p : BLOCK;
            const int64_t first = row * matrix->columns + p;
            int8_t values[BLOCK];
            for (int64_t i = 0; i < count; i++)
                values[i] = (int8_t)heed_quantize(
                    heedi_output_load(matrix->data, matrix->dtype, (size_t)(first + i)), factor);
            heedi_output_write(output, values, (size_t)count);
        }
    }
}

void heedi_output_i8_scales(struct heedi_output *output, const struct heedi_float_matrix *matrix) {
    float scale, factor;
    for (int64_t row = 0; row < matrix->rows; row++) {
        if (!row_scale(output, matrix, row, &scale, &factor))
            return;
        heedi_output_write(output, &scale, sizeof scale);
    }
}

void heedi_output_q8_0(struct heedi_output *output, const struct heedi_float_matrix *matrix) {
    const int64_t elems = matrix->rows * matrix->columns;
    for (int64_t first = 0; first < elems; first += HEED_Q8_0_VALUES) {
        struct heed_q8_0 block;
        const float scale = greatest(matrix, first, HEED_Q8_0_VALUES) / 127.0f;
        block.scale = heed_f32_to_f16(scale);
        if ((block.scale & 0x7c00u) == 0x7c00u) {
            refuse(output, matrix, "a value is not finite, or too large for the type's f16 scales");
            return;
        }
        /* A scale so small that its reciprocal overflows is stored as zero. */
        const float factor = scale < 0x1p-100f ? 0.0f : 1.0f / scale;
        for (int i = 0; i < HEED_Q8_0_VALUES; i++)
            block.values[i] = (int8_t)roundf(
                heedi_output_load(matrix->data, matrix->dtype, (size_t)(first + i)) * factor);
        heedi_output_write(output, &block, sizeof block);
    }
}
