/* SPDX-License-Identifier: Apache-2.0 */
/* Weight files: named tensors in mapped files, and metadata.
 *
 * Every offset, size, rank, alignment and count read from a file is checked against the file before
 * it is used; messages name file, field, expected and actual. */
#ifndef HEEDI_IO_WEIGHTS_H
#define HEEDI_IO_WEIGHTS_H

#include "heed/tensor.h"
#include "runtime/base/context.h"

/* Type of a metadata value; the numbers are GGUF's. */
enum heedi_meta_type {
    HEEDI_META_U8 = 0,
    HEEDI_META_I8 = 1,
    HEEDI_META_U16 = 2,
    HEEDI_META_I16 = 3,
    HEEDI_META_U32 = 4,
    HEEDI_META_I32 = 5,
    HEEDI_META_F32 = 6,
    HEEDI_META_BOOL = 7,
    HEEDI_META_STRING = 8,
    HEEDI_META_ARRAY = 9,
    HEEDI_META_U64 = 10,
    HEEDI_META_I64 = 11,
    HEEDI_META_F64 = 12
};

/* A string that is not NUL-terminated and lies in the file. */
struct heedi_slice {
    const char *data;
    size_t bytes;
};

struct heedi_meta {
    struct heedi_slice key;
    enum heedi_meta_type type;
    union {
        uint64_t u; /* unsigned kinds and bool */
        int64_t i;
        double f;
        struct heedi_slice string;
        struct {
            enum heedi_meta_type type; /* of the elements; nested arrays are refused */
            uint64_t count;
            const void *data;            /* scalars: packed little-endian in the file (unaligned) */
            struct heedi_slice *strings; /* arrays of strings */
        } array;
    } value;
};

struct heedi_weights; /* reference-counted through the weights made from it */

/* Each opens a file and makes one heed_weight per tensor, over the mapping; only strided or
 * misaligned tensors are copied. Tensors of a type or rank that Heed does not have are left out and
 * logged at "info". The caller owns *weights, which is NULL on failure. Looking things up is safe
 * from any thread; a file must not be cut short while it is open. */
enum heed_status heedi_safetensors_open(struct heed_context *context, const char *path,
                                        struct heedi_weights **weights);
/* All shards named by "<folder>/model.safetensors.index.json". */
enum heed_status heedi_safetensors_open_sharded(struct heed_context *context,
                                                const char *index_path,
                                                struct heedi_weights **weights);
enum heed_status heedi_gguf_open(struct heed_context *context, const char *path,
                                 struct heedi_weights **weights);
/* pytorch_model.bin: a zip (stored entries only) with a pickle that may only describe tensors. Any
 * other opcode or global is refused by name. */
enum heed_status heedi_torch_open(struct heed_context *context, const char *path,
                                  struct heedi_weights **weights);
void heedi_weights_close(struct heedi_weights *weights); /* NULL is allowed */

size_t heedi_weights_count(const struct heedi_weights *weights);
/* Borrowed; retain to keep. In file order. */
struct heed_weight *heedi_weights_at(const struct heedi_weights *weights, size_t index);
/* By exact name; NULL if absent. */
struct heed_weight *heedi_weights_find(const struct heedi_weights *weights, const char *name);
/* Why a tensor that the file holds is not among the weights ("its type is F64 ..."); NULL if there
 * is no such tensor. Valid until close. */
const char *heedi_weights_unsupported(const struct heedi_weights *weights, const char *name);
/* Metadata (GGUF; safetensors' __metadata__ as strings). */
size_t heedi_weights_meta_count(const struct heedi_weights *weights);
const struct heedi_meta *heedi_weights_meta_at(const struct heedi_weights *weights, size_t index);
const struct heedi_meta *heedi_weights_meta(const struct heedi_weights *weights, const char *key);

/* The same parsers over memory, for tests and fuzzing: `data` must outlive the result and be
 * aligned to 64 bytes; `path` is for messages. */
enum heed_status heedi_safetensors_parse(struct heed_context *context, const char *path,
                                         const void *data, size_t bytes,
                                         struct heedi_weights **weights);
enum heed_status heedi_gguf_parse(struct heed_context *context, const char *path, const void *data,
                                  size_t bytes, struct heedi_weights **weights);
enum heed_status heedi_torch_parse(struct heed_context *context, const char *path, const void *data,
                                   size_t bytes, struct heedi_weights **weights);

/* ---- writing ---- */

/* Collects metadata and tensors, then writes the file at once (temporary name, renamed). Strings
 * and tensor data must stay valid until write, the context until destroy. The first failure sticks
 * and write returns it. Keys and names are those that ggml accepts: tensor names of 1 to 63 bytes.
 * general.alignment is set to 64 by the writer. */
struct heedi_gguf_writer;
enum heed_status heedi_gguf_writer_create(struct heed_context *context,
                                          struct heedi_gguf_writer **writer);
void heedi_gguf_writer_destroy(struct heedi_gguf_writer *writer);
void heedi_gguf_put_u32(struct heedi_gguf_writer *writer, const char *key, uint32_t value);
void heedi_gguf_put_f32(struct heedi_gguf_writer *writer, const char *key, float value);
void heedi_gguf_put_bool(struct heedi_gguf_writer *writer, const char *key, bool value);
void heedi_gguf_put_string(struct heedi_gguf_writer *writer, const char *key, const char *value);
void heedi_gguf_put_strings(struct heedi_gguf_writer *writer, const char *key,
                            const struct heedi_slice *values, size_t count);
void heedi_gguf_put_i32s(struct heedi_gguf_writer *writer, const char *key, const int32_t *values,
                         size_t count);
void heedi_gguf_put_bytes(struct heedi_gguf_writer *writer, const char *key, const void *data,
                          size_t bytes); /* array of u8 */
/* Adds a contiguous tensor, converted to `type` (f32, f16, bf16 among each other; others as they
 * are) while writing, without a whole copy in memory. */
void heedi_gguf_put_tensor(struct heedi_gguf_writer *writer, const char *name,
                           const struct heed_tensor_desc *desc, const void *data,
                           enum heed_dtype type);
/* Adds a contiguous matrix of a float type as `type`, HEED_I8 or HEED_Q8_0 (quantize.h). i8 has its
 * scales beside it, an f32 vector of this name with HEEDI_SCALE_SUFFIX. */
#define HEEDI_SCALE_SUFFIX ".scale"
void heedi_gguf_put_quantized(struct heedi_gguf_writer *writer, const char *name,
                              const struct heed_tensor_desc *desc, const void *data,
                              enum heed_dtype type);
/* Adds the scales of a tensor that is i8 already. */
void heedi_gguf_put_scales(struct heedi_gguf_writer *writer, const char *name,
                           const struct heed_tensor_desc *desc, const void *data);
enum heed_status heedi_gguf_write(struct heedi_gguf_writer *writer, const char *path);

enum heed_status heedi_safetensors_write(struct heed_context *context, const char *path,
                                         struct heed_weight *const *weights, size_t count);

#endif
