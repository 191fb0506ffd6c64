/* SPDX-License-Identifier: Apache-2.0 */
/* A file being written. The first failure sticks: later calls do nothing and finish reports it, so
 * that a writer can be read as a plain list of what a file consists of. */
#ifndef HEEDI_IO_OUTPUT_H
#define HEEDI_IO_OUTPUT_H

#include "heed/tensor.h"
#include "runtime/base/context.h"
#include "runtime/base/os.h"

struct heedi_output {
    struct heed_context *context;
    const char *path;
    struct heedi_new_file *file;
    FILE *stream;
    uint64_t position;
    enum heed_status status;
};

/* `path` must stay valid until finish. */
void heedi_output_open(struct heedi_output *output, struct heed_context *context, const char *path);
void heedi_output_write(struct heedi_output *output, const void *data, size_t bytes);
void heedi_output_u32(struct heedi_output *output, uint32_t value);
void heedi_output_u64(struct heedi_output *output, uint64_t value);
/* Zeros up to a multiple of `alignment`. */
void heedi_output_pad(struct heedi_output *output, uint64_t alignment);
/* Elements of type `from` written as type `to`: equal types, or both of f32, f16, bf16. */
void heedi_output_elements(struct heedi_output *output, const void *data, size_t elems,
                           enum heed_dtype from, enum heed_dtype to);
/* Makes the file appear under its name, or removes what was written of it. */
enum heed_status heedi_output_finish(struct heedi_output *output);

/* Element `index` of a float type. */
float heedi_output_load(const void *data, enum heed_dtype dtype, size_t index);

/* Can heedi_output_elements convert this? */
bool heedi_output_can_convert(enum heed_dtype from, enum heed_dtype to);

#endif
