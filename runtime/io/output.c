/* SPDX-License-Identifier: Apache-2.0 */
/* Writing files that appear whole or not at all. */
#include "runtime/io/output.h"

#include <errno.h>
#include <string.h>

#include "runtime/io/bytes.h"

enum { BLOCK_ELEMS = 1024 };

void heedi_output_open(struct heedi_output *output, struct heed_context *context,
                       const char *path) {
    *output = (struct heedi_output){.context = context, .path = path};
    struct heed_error error = {.struct_size = sizeof error};
    if (heedi_os_new_file(context, path, &output->file, &error)) {
        output->stream = heedi_os_new_file_stream(output->file);
        return;
    }
    const enum heed_status status = (enum heed_status)error.status;
    output->file = NULL;
    output->status =
        heedi_fail(context, status != HEED_OK ? status : HEED_ERROR_IO, "%s", error.message);
}

void heedi_output_write(struct heedi_output *output, const void *data, size_t bytes) {
    if (output->status != HEED_OK || bytes == 0)
        return;
    errno = 0;
    if (fwrite(data, 1, bytes, output->stream) != bytes)
        output->status =
            heedi_fail(output->context, HEED_ERROR_IO, "%s: cannot write byte %llu: %s",
                       output->path, (unsigned long long)output->position,
                       errno != 0 ? strerror(errno) : "the file system does not say why");
    output->position += bytes;
}

void heedi_output_u32(struct heedi_output *output, uint32_t value) {
    unsigned char bytes[4];
    heedi_store_u32(bytes, value);
    heedi_output_write(output, bytes, sizeof bytes);
}

void heedi_output_u64(struct heedi_output *output, uint64_t value) {
    unsigned char bytes[8];
    heedi_store_u64(bytes, value);
    heedi_output_write(output, bytes, sizeof bytes);
}

void heedi_output_pad(struct heedi_output *output, uint64_t alignment) {
    static const unsigned char zeros[64];
    uint64_t left = (alignment - output->position % alignment) % alignment;
    for (; left > 0 && output->status == HEED_OK; left -= left < 64 ? left : 64)
        heedi_output_write(output, zeros, left < 64 ? (size_t)left : 64);
}

static bool is_float(enum heed_dtype dtype) {
    return dtype == HEED_F32 || dtype == HEED_F16 || dtype == HEED_BF16;
}

bool heedi_output_can_convert(enum heed_dtype from, enum heed_dtype to) {
    return heed_dtype_bytes(from) != 0 && (from == to || (is_float(from) && is_float(to)));
}

float heedi_output_load(const void *data, enum heed_dtype dtype, size_t index) {
    const unsigned char *bytes = data;
    float single;
    uint16_t half;
    if (dtype == HEED_F32) {
        memcpy(&single, bytes + index * sizeof single, sizeof single);
        return single;
    }
    memcpy(&half, bytes + index * sizeof half, sizeof half);
    return dtype == HEED_F16 ? heed_f16_to_f32(half) : heed_bf16_to_f32(half);
}

static void store_float(unsigned char *data, enum heed_dtype dtype, float value) {
    if (dtype == HEED_F32) {
        memcpy(data, &value, sizeof value);
        return;
    }
    const uint16_t half = dtype == HEED_F16 ? heed_f32_to_f16(value) : heed_f32_to_bf16(value);
    memcpy(data, &half, sizeof half);
}

void heedi_output_elements(struct heedi_output *output, const void *data, size_t elems,
                           enum heed_dtype from, enum heed_dtype to) {
    const size_t from_bytes = heed_dtype_bytes(from), to_bytes = heed_dtype_bytes(to);
    if (from == to) {
        heedi_output_write(output, data, elems * from_bytes);
        return;
    }
    unsigned char block[BLOCK_ELEMS * sizeof(float)];
    const unsigned char *source = data;
    while (elems > 0 && output->status == HEED_OK) {
        const size_t count = elems < BLOCK_ELEMS ? elems : BLOCK_ELEMS;
        for (size_t i = 0; i < count; i++)
            store_float(block + i * to_bytes, to, heedi_output_load(source, from, i));
        heedi_output_write(output, block, count * to_bytes);
        source += count * from_bytes;
        elems -= count;
    }
}

enum heed_status heedi_output_finish(struct heedi_output *output) {
    if (output->file == NULL)
        return output->status;
    if (output->status != HEED_OK) {
        heedi_os_new_file_abort(output->file);
        return output->status;
    }
    struct heed_error error = {.struct_size = sizeof error};
    if (!heedi_os_new_file_commit(output->file, &error)) {
        const enum heed_status status = (enum heed_status)error.status;
        output->status = heedi_fail(output->context, status != HEED_OK ? status : HEED_ERROR_IO,
                                    "%s", error.message);
    }
    return output->status;
}
