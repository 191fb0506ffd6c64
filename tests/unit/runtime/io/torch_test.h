/* SPDX-License-Identifier: Apache-2.0 */
/* A small writer of what torch.save() writes: a zip with stored entries, and a pickle. */
#ifndef HEED_TEST_TORCH_H
#define HEED_TEST_TORCH_H

#include "io_test.h"

/* ---- zip ---- */

/* What is written differently from an honest archive; all zero: nothing. */
struct zip_options {
    bool zip64;             /* sizes and places in zip64 records, as PyTorch does it */
    bool sizes_follow;      /* the local header leaves the sizes to a descriptor behind the data */
    unsigned method;        /* 0: stored */
    unsigned flags;         /* added to the entries' flags */
    unsigned alignment;     /* of data, through a padding extra field; 0: none */
    const char *local_name; /* in local headers, if not the entry's */
    uint32_t local_bytes;   /* added to the size in local headers */
    uint64_t offset;        /* added to each entry's place */
    uint64_t bytes;         /* added to each entry's size in the directory */
};

struct zip_writer {
    struct buffer *file;
    struct zip_options options;
    struct buffer directory;
    unsigned count;
};

static inline void zip_begin(struct zip_writer *zip, struct buffer *file,
                             const struct zip_options *options) {
    zip->file = file;
    zip->options = options != NULL ? *options : (struct zip_options){.alignment = 64};
    zip->directory.bytes = 0;
    zip->count = 0;
    file->bytes = 0;
}

static inline void zip_local(struct zip_writer *zip, const char *name, size_t bytes) {
    struct buffer *file = zip->file;
    const struct zip_options *options = &zip->options;
    const char *written = options->local_name != NULL ? options->local_name : name;
    const uint32_t size = options->sizes_follow ? 0 : (uint32_t)bytes + options->local_bytes;
    put_u32(file, 0x04034b50);
    put_u16(file, 20);
    put_u16(file, options->flags | (options->sizes_follow ? 8u : 0u));
    put_u16(file, options->method);
    put_u32(file, 0); /* time and date */
    put_u32(file, 0); /* check sum */
    put_u32(file, options->zip64 && !options->sizes_follow ? UINT32_MAX : size);
    put_u32(file, options->zip64 && !options->sizes_follow ? UINT32_MAX : size);
    put_u16(file, (unsigned)strlen(written));
    const size_t wide = options->zip64 && !options->sizes_follow ? 20 : 0;
    size_t padding = 0;
    if (options->alignment > 0) {
        const size_t start = file->bytes + 2 + strlen(written) + wide + 4;
        padding = 4 + (options->alignment - start % options->alignment) % options->alignment;
    }
    put_u16(file, (unsigned)(wide + padding));
    put_text(file, written);
    if (wide > 0) {
        put_u16(file, 1);
        put_u16(file, 16);
        put_u64(file, size);
        put_u64(file, size);
    }
    if (padding > 0) {
        put_text(file, "FB"); /* as PyTorch names it */
        put_u16(file, (unsigned)padding - 4);
        put_zeros(file, padding - 4);
    }
}

static inline void zip_add(struct zip_writer *zip, const char *name, const void *data,
                           size_t bytes) {
    struct buffer *directory = &zip->directory;
    const struct zip_options *options = &zip->options;
    const uint64_t offset = zip->file->bytes + options->offset;
    const uint64_t size = bytes + options->bytes;
    zip_local(zip, name, bytes);
    put(zip->file, data, bytes);
    if (options->sizes_follow) {
        put_u32(zip->file, 0x08074b50);
        put_u32(zip->file, 0);
        put_u32(zip->file, (uint32_t)bytes);
        put_u32(zip->file, (uint32_t)bytes);
    }
    put_u32(directory, 0x02014b50);
    put_u16(directory, 20);
    put_u16(directory, 20);
    put_u16(directory, options->flags | (options->sizes_follow ? 8u : 0u));
    put_u16(directory, options->method);
    put_u32(directory, 0);
    put_u32(directory, 0);
    put_u32(directory, options->zip64 ? UINT32_MAX : (uint32_t)size);
    put_u32(directory, options->zip64 ? UINT32_MAX : (uint32_t)size);
    put_u16(directory, (unsigned)strlen(name));
    put_u16(directory, options->zip64 ? 28 : 0);
    put_zeros(directory, 10); /* comment, disk, attributes */
    put_u32(directory, options->zip64 ? UINT32_MAX : (uint32_t)offset);
    put_text(directory, name);
    if (options->zip64) {
        put_u16(directory, 1);
        put_u16(directory, 24);
        put_u64(directory, size);
        put_u64(directory, size);
        put_u64(directory, offset);
    }
    zip->count++;
}

static inline void zip_end(struct zip_writer *zip) {
    struct buffer *file = zip->file;
    const uint64_t offset = file->bytes;
    put(file, zip->directory.data, zip->directory.bytes);
    if (zip->options.zip64) {
        const uint64_t end64 = file->bytes;
        put_u32(file, 0x06064b50);
        put_u64(file, 44);
        put_zeros(file, 12); /* versions, disks */
        put_u64(file, zip->count);
        put_u64(file, zip->count);
        put_u64(file, zip->directory.bytes);
        put_u64(file, offset);
        put_u32(file, 0x07064b50);
        put_u32(file, 0);
        put_u64(file, end64);
        put_u32(file, 1);
    }
    put_u32(file, 0x06054b50);
    put_zeros(file, 4);
    put_u16(file, zip->options.zip64 ? UINT16_MAX : zip->count);
    put_u16(file, zip->options.zip64 ? UINT16_MAX : zip->count);
    put_u32(file, zip->options.zip64 ? UINT32_MAX : (uint32_t)zip->directory.bytes);
    put_u32(file, zip->options.zip64 ? UINT32_MAX : (uint32_t)offset);
    put_u16(file, 0);
}

/* ---- pickle, protocol 2 as torch.save() uses it ---- */

static inline void pickle_string(struct buffer *pickle, const char *text) {
    put_u8(pickle, 'X');
    put_u32(pickle, (uint32_t)strlen(text));
    put_text(pickle, text);
}

static inline void pickle_int(struct buffer *pickle, int64_t value) {
    if (value >= 0 && value < 256) {
        put_u8(pickle, 'K');
        put_number(pickle, (uint64_t)value, 1);
    } else if (value >= 0 && value < 65536) {
        put_u8(pickle, 'M');
        put_number(pickle, (uint64_t)value, 2);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        put_u8(pickle, 'J');
        put_number(pickle, (uint64_t)value, 4);
    } else {
        put_u8(pickle, 0x8a);
        put_u8(pickle, 8);
        put_number(pickle, (uint64_t)value, 8);
    }
}

static inline void pickle_global(struct buffer *pickle, const char *module, const char *name) {
    put_u8(pickle, 'c');
    put_text(pickle, module);
    put_u8(pickle, '\n');
    put_text(pickle, name);
    put_u8(pickle, '\n');
}

static inline void pickle_ints(struct buffer *pickle, size_t count, const int64_t *values) {
    put_u8(pickle, '(');
    for (size_t i = 0; i < count; i++)
        pickle_int(pickle, values[i]);
    put_u8(pickle, 't');
}

/* A tensor as the pickle describes it. */
struct pickled_tensor {
    const char *name, *class_name, *key;
    int64_t storage_elems, offset;
    size_t rank;
    int64_t sizes[6], strides[6];
};

static inline void pickle_empty_ordered_dict(struct buffer *pickle) {
    pickle_global(pickle, "collections", "OrderedDict");
    put_text(pickle, ")R");
}

/* The tensor's value: _rebuild_tensor_v2(storage, offset, size, stride, False, OrderedDict()) */
static inline void pickle_tensor(struct buffer *pickle, const struct pickled_tensor *tensor) {
    pickle_global(pickle, "torch._utils", "_rebuild_tensor_v2");
    put_text(pickle, "((");
    pickle_string(pickle, "storage");
    pickle_global(pickle, "torch", tensor->class_name);
    pickle_string(pickle, tensor->key);
    pickle_string(pickle, "cpu");
    pickle_int(pickle, tensor->storage_elems);
    put_text(pickle, "tQ");
    pickle_int(pickle, tensor->offset);
    pickle_ints(pickle, tensor->rank, tensor->sizes);
    pickle_ints(pickle, tensor->rank, tensor->strides);
    put_u8(pickle, 0x89);
    pickle_empty_ordered_dict(pickle);
    put_text(pickle, "tR");
}

/* The whole state dictionary, with its _metadata. */
static inline void pickle_state_dict(struct buffer *pickle, const struct pickled_tensor *tensors,
                                     size_t count) {
    pickle->bytes = 0;
    put_u8(pickle, 0x80);
    put_u8(pickle, 2);
    pickle_empty_ordered_dict(pickle);
    put_text(pickle, "q");
    put_u8(pickle, 0);
    put_text(pickle, "(");
    for (size_t i = 0; i < count; i++) {
        pickle_string(pickle, tensors[i].name);
        pickle_tensor(pickle, &tensors[i]);
    }
    put_text(pickle, "u}");
    pickle_string(pickle, "_metadata");
    pickle_empty_ordered_dict(pickle);
    put_text(pickle, "sb.");
}

#endif
