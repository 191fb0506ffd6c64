/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenBLAS plugin from the inside: what its files share.
 *
 * It runs matrix products and leaves everything else to the backends after it. A program is an
 * array of products whose layouts and pieces are settled when it is compiled; a run calls CBLAS for
 * each piece from the host's parallel_for. Pieces follow shapes only. OpenBLAS itself stays on one
 * thread: see heedi_openblas_single_thread. */
#ifndef HEEDI_OPENBLAS_OPENBLAS_H
#define HEEDI_OPENBLAS_OPENBLAS_H

#include <stdbool.h>

#include "heed/backend.h"

/* Most columns of a piece of the result. */
#define OPENBLAS_COLUMNS 1024

/* Where an operand lies: `storage` is the tensor of the sub-graph that owns the memory, -1: absent.
 */
struct openblas_operand {
    enum heed_dtype dtype;
    int32_t storage;
    int64_t offset_elems;
};

/* A matrix as CBLAS takes it, in row-major order: elements of a row lie side by side, or, where it
 * is `turned`, those of a column, and `leading` elements lie between one and the next. */
struct openblas_matrix {
    struct openblas_operand operand;
    bool turned;
    int64_t leading;
    int64_t row_stride, column_stride;
    int64_t batch[2]; /* strides of the two dimensions in front, 0 where it repeats */
};

/* y = act(a b + bias), m x k times k x n, batch_dims[0] * batch_dims[1] times. */
struct openblas_product {
    const char *name;
    struct openblas_matrix a, b;
    struct openblas_operand bias, y;
    int64_t bias_stride;
    int64_t m, n, k;
    int64_t batch_dims[2];
    int64_t piece_rows, piece_columns; /* of a piece, the last of a row or column excepted */
    int64_t row_pieces, column_pieces;
    enum heed_activation activation;

    uint64_t weight_id; /* b is a constant that has to be converted; else 0 */
    struct heed_prepared *prepared;
    const float *converted; /* by the host's prepared weights, or NULL */
};

/* A backend opened. */
struct heed_plugin {
    const struct heed_host *host;
    bool claim_all; /* also where nothing is gained */
};

struct openblas_binding {
    int32_t tensor;
    uint32_t role;
    const char *name;
};

/* Where the memory of a storage owner comes from. */
struct openblas_storage {
    int64_t arena_offset_bytes; /* -1: not in the arena */
    int32_t binding;            /* -1: none */
    const void *constant;       /* or NULL */
};

struct heed_plugin_program {
    const struct heed_host *host;
    struct openblas_product *products;
    struct openblas_storage *storages; /* one per tensor of the sub-graph */
    struct openblas_binding *bindings;
    uint32_t product_count, tensor_count, binding_count;
    size_t arena_bytes, arena_alignment;
};

struct heed_plugin_instance {
    const struct heed_plugin_program *program;
    void *arena;
    void **memory; /* per tensor of the sub-graph: its storage, NULL until bound */
    bool *bound;   /* per binding */
    struct heed_profile_entry *entries;
    uint32_t entry_count; /* of the last run */
    bool profiled;
};

/* ---- plugin.c ---- */
enum heed_status heedi_openblas_fail(struct heed_error *error, enum heed_status status,
                                     const char *format, ...);
/* Copies a struct that its giver says is `source_bytes` long into `target`, zero-filled where the
 * giver's is shorter. False if it is longer with bytes that are not zero: an unknown demand. */
bool heedi_openblas_read(void *target, size_t target_bytes, const void *source,
                         size_t source_bytes);
/* Zero-filled memory of the host, aligned to 64 bytes; NULL on failure or overflow. */
void *heedi_openblas_calloc(const struct heed_host *host, size_t count, size_t bytes);
void heedi_openblas_free(const struct heed_host *host, void *memory);

/* ---- claim.c ---- */
/* Reads entry `index` of the sub-graph's tensors. NULL or what is wrong with it. */
const char *heedi_openblas_tensor(const struct heed_subgraph *subgraph, int32_t index,
                                  struct heed_subgraph_tensor *tensor);
/* Fills *product from node `index`. NULL if it can be run, else why not; then *contiguous has bit i
 * set for each input that could be used if it were contiguous, and is 0 where that would not help.
 */
const char *heedi_openblas_accept(const struct heed_plugin *plugin,
                                  const struct heed_subgraph *subgraph, uint32_t index,
                                  struct openblas_product *product, uint32_t *contiguous);

/* ---- program.c ---- */
enum heed_status heedi_openblas_query(struct heed_plugin *plugin,
                                      const struct heed_subgraph *subgraph,
                                      struct heed_claim *claims, size_t stride,
                                      struct heed_error *error);
enum heed_status heedi_openblas_compile(struct heed_plugin *plugin,
                                        const struct heed_subgraph *subgraph,
                                        struct heed_plugin_program **program,
                                        struct heed_error *error);
void heedi_openblas_program_destroy(struct heed_plugin_program *program);

/* ---- instance.c ---- */
extern const struct heed_profile_extension heedi_openblas_profile;
enum heed_status heedi_openblas_instance_create(struct heed_plugin_program *program,
                                                struct heed_plugin_instance **instance,
                                                struct heed_error *error);
void heedi_openblas_instance_destroy(struct heed_plugin_instance *instance);
enum heed_status heedi_openblas_bind(struct heed_plugin_instance *instance, uint32_t binding,
                                     void *memory, struct heed_error *error);
enum heed_status heedi_openblas_submit(struct heed_plugin_instance *instance,
                                       struct heed_error *error);

/* ---- matmul.c ---- */
/* Decides how the result is cut into pieces. */
void heedi_openblas_cut(struct openblas_product *product);
/* b as f32, made once per weight: see heed_prepare_fn. `arg` is the host. */
enum heed_status heedi_openblas_convert(void *arg, const struct heed_tensor_desc *desc,
                                        const void *data, void **object, size_t *bytes,
                                        struct heed_error *error);
void heedi_openblas_converted_destroy(void *object);
const float *heedi_openblas_converted_data(const void *object);
/* What a run knows of a product: where its operands begin. */
struct openblas_run {
    const struct openblas_product *product;
    const float *a, *b;
    const void *bias; /* or NULL */
    float *y;
};
void heedi_openblas_matmul(const struct heed_host *host, const struct openblas_run *run);
const char *heedi_openblas_kernel_name(const struct openblas_product *product);

/* ---- library.c: all that is not a product ---- */
/* NULL, or why this OpenBLAS is not used on this processor. */
const char *heedi_openblas_unusable(void);
/* Keeps OpenBLAS from starting threads of its own. Its thread count belongs to the whole process,
 * and so does this: a program that uses OpenBLAS beside Heed gets one thread per call, until it
 * asks for more with openblas_set_num_threads, which hurts here only the speed and what is said
 * about bits. (openblas_set_num_threads_local of later versions sets the same count where OpenBLAS
 * has its own threads.) */
void heedi_openblas_single_thread(void);
/* The kernels that OpenBLAS chose for this processor, and how it was built. */
void heedi_openblas_describe(char *text, size_t bytes);

#endif
