/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of weight files share: the mapped file and the collection they fill.
 *
 * A reader is one function of type heedi_weights_read_fn. It walks over the source, adds tensors
 * and metadata, and returns; opening, indexing, the search for duplicates and all cleaning up
 * happen here. */
#ifndef HEEDI_IO_CONTAINER_H
#define HEEDI_IO_CONTAINER_H

#include "runtime/base/arena.h"
#include "runtime/base/os.h"
#include "runtime/base/refcount.h"
#include "runtime/io/weights.h"

/* A name from a file as a printf argument for "%.*s": long ones are cut in messages. */
#define HEEDI_PRINT_SLICE(slice)                                                                   \
    (int)((slice).bytes < 200 ? (slice).bytes : 200), ((slice).bytes > 0 ? (slice).data : "")

/* A mapped file, or memory of the caller. Every weight over it holds a reference. */
struct heedi_source {
    struct heedi_env env;
    struct heedi_refcount references;
    struct heedi_mapping mapping; /* data is NULL over the caller's memory */
    const unsigned char *data;
    size_t bytes;
    size_t copied_bytes; /* of tensors that could not be used in place */
    char *path;          /* for messages */
};

enum heed_status heedi_source_map(struct heed_context *context, const char *path,
                                  struct heedi_source **source);
void heedi_source_release(struct heedi_source *source); /* NULL is allowed */

/* A name in the file: a tensor among the weights, or the reason why it is not. */
struct heedi_weights_name {
    const char *name;
    size_t index;
    const char *unsupported; /* NULL for a weight */
};

struct heedi_weights {
    struct heedi_env env;
    struct heedi_arena arena; /* names and metadata */
    struct heedi_source **sources;
    size_t source_count;
    struct heed_weight **items; /* in file order */
    size_t count, capacity;
    struct heedi_weights_name *names; /* by name once finished */
    size_t name_count, name_capacity;
    struct heedi_meta *metas; /* in file order */
    size_t meta_count, meta_capacity;
    const struct heedi_meta **metas_by_key;
};

typedef enum heed_status (*heedi_weights_read_fn)(struct heed_context *context,
                                                  struct heedi_weights *weights,
                                                  struct heedi_source *source);

/* Maps the file, reads it, and finishes the collection. */
enum heed_status heedi_weights_open_file(struct heed_context *context, const char *path,
                                         heedi_weights_read_fn read,
                                         struct heedi_weights **weights);
/* The same over memory that outlives the result. */
enum heed_status heedi_weights_open_memory(struct heed_context *context, const char *path,
                                           const void *data, size_t bytes,
                                           heedi_weights_read_fn read,
                                           struct heedi_weights **weights);

/* The steps of the above, for collections made of several files. */
enum heed_status heedi_weights_create(struct heed_context *context, struct heedi_weights **weights);
/* Takes the caller's reference to `source`, also on failure. */
enum heed_status heedi_weights_add_source(struct heed_context *context,
                                          struct heedi_weights *weights,
                                          struct heedi_source *source);
/* Sorts names and keys; refuses duplicates. `path` is for the message. */
enum heed_status heedi_weights_finish(struct heed_context *context, struct heedi_weights *weights,
                                      const char *path);

/* ---- for readers ---- */

/* Refuses a name that is empty, not UTF-8, or holds control characters; `what` is "tensor" or
 * "metadata key". */
enum heed_status heedi_weights_check_name(struct heed_context *context,
                                          const struct heedi_source *source, const char *what,
                                          struct heedi_slice name);

/* Adds a tensor whose first element lies at `data` inside the source. The reader has checked that
 * all its elements do. A strided or misaligned tensor is copied; all copies together are bounded by
 * the size of the file, so that no file can ask for more memory than it has bytes. */
enum heed_status heedi_weights_add(struct heed_context *context, struct heedi_weights *weights,
                                   struct heedi_source *source, struct heedi_slice name,
                                   const struct heed_tensor_desc *desc, const unsigned char *data);

/* Records a sound tensor that Heed cannot use: looking it up finds nothing, and the reason. */
enum heed_status heedi_weights_add_unsupported(struct heed_context *context,
                                               struct heedi_weights *weights,
                                               const struct heedi_source *source,
                                               struct heedi_slice name, const char *format, ...)
    HEEDI_PRINTF(5, 6);

/* Adds a metadata entry; key, strings and arrays lie in the source or in weights->arena. */
enum heed_status heedi_weights_add_meta(struct heed_context *context, struct heedi_weights *weights,
                                        const struct heedi_source *source,
                                        const struct heedi_meta *meta);

#endif
