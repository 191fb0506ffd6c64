/* SPDX-License-Identifier: Apache-2.0 */
/* Writing weights quantised: symmetric, to nearest. */
#ifndef HEEDI_IO_QUANTIZE_H
#define HEEDI_IO_QUANTIZE_H

#include "runtime/io/output.h"

/* A matrix of a float type, contiguous. */
struct heedi_float_matrix {
    const char *name; /* for messages */
    const void *data;
    enum heed_dtype dtype;
    int64_t rows, columns;
};

/* i8, a scale per row: scale = max |w| / 127, q = round(w * (127 / max |w|)), ties to even, as
 * heed_quantize_scale() and heed_quantize() have it. The error is at most scale / 2 but for the
 * roundings of these formulas. Values and scales (f32 [rows]) are tensors of their own in a file;
 * neither is ever whole in memory. A value that is not finite fails the output. */
void heedi_output_i8_values(struct heedi_output *output, const struct heedi_float_matrix *matrix);
void heedi_output_i8_scales(struct heedi_output *output, const struct heedi_float_matrix *matrix);

/* q8_0, to the bit as ggml's reference code: d = max |w| / 127 in f32, q = round(w * (1 / d)), ties
 * away from zero; d is then stored as f16, so that the values' error is at most d / 2 + 2^-11 |w|.
 * The columns are whole blocks. */
void heedi_output_q8_0(struct heedi_output *output, const struct heedi_float_matrix *matrix);

#endif
