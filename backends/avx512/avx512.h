/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX-512 plugin from the inside: what its files share.
 *
 * It runs matrix products with quantised rows by constant i8 and q8_0 weights (HEED_QUANTIZE_ROWS
 * of ops.h) and leaves everything else to the backends after it, of which avx2 is the natural one.
 * A program is an array of products, settled when it is compiled. Pieces follow shapes only.
 *
 * matmul.c is compiled for AVX-512 F, BW, DQ, VL and VNNI, and nothing in it runs unless the
 * processor has these; the other files for any x86-64. */
#ifndef HEEDI_AVX512_AVX512_H
#define HEEDI_AVX512_AVX512_H

#include <stdbool.h>

#include "heed/backend.h"

enum {
    AVX512_COLUMNS = 16, /* of a panel of b */
    AVX512_QUAD = 4,     /* neighbours along k that one instruction multiplies and adds */
    AVX512_ROWS = 192    /* of a, quantised at a time: bounds the memory of every product */
};

/* Where an operand lies: `storage` is the tensor of the sub-graph that owns the memory, -1: absent.
 */
struct avx512_operand {
    int32_t storage;
    int64_t offset_bytes;
};

/* A packed weight. Owned by the host, shared by programs. `block` is all of k, or 32 of q8_0. */
struct avx512_panels {
    const struct heed_host *host;
    int64_t n, k, quads; /* quads: of k, rounded up */
    int64_t blocks;
    int8_t *values;  /* [panels][quads][16][4], zeros beyond n and k */
    int32_t *starts; /* [panels][blocks][16]: -128 times the sum of the block's column */
    float *scales;   /* [panels][blocks][16] of q8_0, else NULL */
};

/* y = act((a b) * scales + bias), a [m, k] in rows of any distance. */
struct avx512_product {
    const char *name;
    struct avx512_operand a, b_scale, bias, y;
    struct heed_tensor_desc a_desc;
    int64_t m, n, k;
    enum heed_activation activation;
    bool blocks;     /* b is q8_0 */
    bool transposed; /* the weight is [n, k] */
    uint64_t weight_id;
    struct heed_prepared *prepared;
    const struct avx512_panels *panels;
};

/* A backend opened. */
struct heed_plugin {
    const struct heed_host *host;
};

struct avx512_binding {
    int32_t tensor;
    uint32_t role;
    const char *name;
};

/* Where the memory of a storage owner comes from. */
struct avx512_storage {
    int64_t arena_offset_bytes; /* -1: not in the arena */
    int32_t binding;            /* -1: none */
    const void *constant;       /* or NULL */
};

struct heed_plugin_program {
    const struct heed_host *host;
    struct avx512_product *products;
    struct avx512_storage *storages; /* one per tensor of the sub-graph */
    struct avx512_binding *bindings;
    uint32_t product_count, tensor_count, binding_count;
    size_t arena_bytes, arena_alignment;
    size_t scratch_bytes; /* of the product that needs most */
};

struct heed_plugin_instance {
    const struct heed_plugin_program *program;
    void *arena;
    void *scratch;
    void **memory; /* per tensor of the sub-graph: its storage, NULL until bound */
    bool *bound;   /* per binding */
    struct heed_profile_entry *entries;
    uint32_t entry_count; /* of the last run */
    bool profiled;
};

/* ---- plugin.c ---- */
enum heed_status heedi_avx512_fail(struct heed_error *error, enum heed_status status,
                                   const char *format, ...);
/* Copies a struct that its giver says is `source_bytes` long into `target`, zero-filled where the
 * giver's is shorter. False if it is longer with bytes that are not zero: an unknown demand. */
bool heedi_avx512_read(void *target, size_t target_bytes, const void *source, size_t source_bytes);
/* Zero-filled memory of the host, aligned to 64 bytes; NULL on failure or overflow. */
void *heedi_avx512_calloc(const struct heed_host *host, size_t count, size_t bytes);
void heedi_avx512_free(const struct heed_host *host, void *memory);

/* ---- claim.c ---- */
/* Reads entry `index` of the sub-graph's tensors. NULL or what is wrong with it. */
const char *heedi_avx512_tensor(const struct heed_subgraph *subgraph, int32_t index,
                                struct heed_subgraph_tensor *tensor);
/* Fills *product from node `index`. NULL if it can be run, else why not. */
const char *heedi_avx512_accept(const struct heed_subgraph *subgraph, uint32_t index,
                                struct avx512_product *product);

/* Bytes that a run needs beside the arena. */
size_t heedi_avx512_scratch_bytes(const struct avx512_product *product);

/* ---- program.c ---- */
enum heed_status heedi_avx512_query(struct heed_plugin *plugin,
                                    const struct heed_subgraph *subgraph, struct heed_claim *claims,
                                    size_t stride, struct heed_error *error);
enum heed_status heedi_avx512_compile(struct heed_plugin *plugin,
                                      const struct heed_subgraph *subgraph,
                                      struct heed_plugin_program **program,
                                      struct heed_error *error);
void heedi_avx512_program_destroy(struct heed_plugin_program *program);

/* ---- instance.c ---- */
extern const struct heed_profile_extension heedi_avx512_profile;
enum heed_status heedi_avx512_instance_create(struct heed_plugin_program *program,
                                              struct heed_plugin_instance **instance,
                                              struct heed_error *error);
void heedi_avx512_instance_destroy(struct heed_plugin_instance *instance);
enum heed_status heedi_avx512_bind(struct heed_plugin_instance *instance, uint32_t binding,
                                   void *memory, struct heed_error *error);
enum heed_status heedi_avx512_submit(struct heed_plugin_instance *instance,
                                     struct heed_error *error);

/* ---- pack.c ---- */
/* Panels of a weight: see heed_prepare_fn. */
struct avx512_packing {
    const struct heed_host *host;
    bool transposed;
};
enum heed_status heedi_avx512_pack(void *arg, const struct heed_tensor_desc *desc, const void *data,
                                   void **object, size_t *bytes, struct heed_error *error);
void heedi_avx512_panels_destroy(void *object);

/* ---- matmul.c ---- */
/* What a run knows of a product: where its operands begin. */
struct avx512_run {
    const struct avx512_product *product;
    const float *a, *b_scale;
    const float *bias; /* or NULL */
    float *y;
    void *scratch; /* heedi_avx512_scratch_bytes, aligned to 64 */
};
void heedi_avx512_matmul(const struct heed_host *host, const struct avx512_run *run);

#endif
