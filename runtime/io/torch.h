/* SPDX-License-Identifier: Apache-2.0 */
/* The two layers below pytorch_model.bin: the zip archive and the pickle inside it. */
#ifndef HEEDI_IO_TORCH_H
#define HEEDI_IO_TORCH_H

#include "runtime/io/container.h"

/* ---- zip ---- */

struct heedi_zip_entry {
    struct heedi_slice name;
    const unsigned char *data; /* inside the source */
    size_t bytes;
};

struct heedi_zip {
    struct heedi_zip_entry *entries; /* by name */
    size_t count;
};

/* Reads the directory of an archive whose entries are stored, not compressed. Check sums are not
 * compared: PyTorch may be told to write false ones. Free with heedi_zip_close(). */
enum heed_status heedi_zip_open(struct heed_context *context, const struct heedi_source *source,
                                struct heedi_zip *zip);
void heedi_zip_close(struct heed_context *context, struct heedi_zip *zip);
/* The entry named `folder` followed by `name`; NULL if there is none. */
const struct heedi_zip_entry *heedi_zip_find(const struct heedi_zip *zip, struct heedi_slice folder,
                                             struct heedi_slice name);

/* ---- pickle ---- */

/* Storage classes that a file may name: X(class, type for messages, bytes per element, ours). */
#define HEEDI_TORCH_STORAGE_LIST(X)                                                                \
    X(FloatStorage, "float32", 4, HEED_F32)                                                        \
    X(HalfStorage, "float16", 2, HEED_F16)                                                         \
    X(BFloat16Storage, "bfloat16", 2, HEED_BF16)                                                   \
    X(IntStorage, "int32", 4, HEED_I32)                                                            \
    X(CharStorage, "int8", 1, HEED_I8)                                                             \
    X(DoubleStorage, "float64", 8, HEED_DTYPE_NONE)                                                \
    X(LongStorage, "int64", 8, HEED_DTYPE_NONE)                                                    \
    X(ShortStorage, "int16", 2, HEED_DTYPE_NONE)                                                   \
    X(ByteStorage, "uint8", 1, HEED_DTYPE_NONE)                                                    \
    X(BoolStorage, "bool", 1, HEED_DTYPE_NONE)

struct heedi_torch_element {
    const char *class_name;
    const char *type_name;
    uint32_t bytes;
    enum heed_dtype dtype;
};

/* A tensor as the pickle describes it; nothing of it is compared with the archive yet. Numbers that
 * should not be negative are not. */
struct heedi_torch_tensor {
    const struct heedi_torch_element *element;
    struct heedi_slice storage_key; /* the archive's entry is "data/<key>" */
    int64_t storage_elems;
    int64_t offset; /* of the first element, in elements */
    size_t rank;
    const int64_t *sizes, *strides; /* rank each */
};

struct heedi_torch_record {
    struct heedi_slice name;
    const struct heedi_torch_tensor *tensor;
};

/* Runs the pickle of a state dictionary on a machine that knows only what such a pickle needs, and
 * returns its tensors in order. They live in `arena`. Anything else in it is refused by name. */
enum heed_status heedi_pickle_read(struct heed_context *context, const char *path,
                                   struct heedi_arena *arena, const unsigned char *data,
                                   size_t bytes, struct heedi_torch_record **records,
                                   size_t *count);

#endif
