/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX2 plugin from the inside: what its files share.
 *
 * A program is an array of nodes, each with its attributes and tensor descriptions copied from the
 * sub-graph, cut into steps: one node, or a few neighbours that one kernel does together (fuse.c).
 * A run calls the steps' kernels one after another; within a kernel the host's parallel_for spreads
 * independent pieces. Every element of a result is computed whole by one piece, in an order that
 * depends on shapes only, so the bits are the same for any number of threads and, over k, for any
 * number of rows; and a fused step gives the bits that its nodes would give alone.
 *
 * The files of the frame (plugin, program, fuse, instance, state, profile) are compiled for any
 * x86-64, so that an older processor gets a polite answer; all others for AVX2, FMA and F16C, and
 * nothing in them runs unless the processor has these. */
#ifndef HEEDI_AVX2_AVX2_H
#define HEEDI_AVX2_AVX2_H

#include <stdbool.h>

#include "heed/backend.h"

/* Elements that pass through a buffer on the stack at a time; a multiple of 16. */
#define AVX2_BLOCK 256

/* A tensor at run time: `data` is its first element; NULL and NULL where it is absent. */
struct avx2_operand {
    const struct heed_tensor_desc *desc;
    void *data;
};

struct avx2_node;

/* What a kernel is called with: an array of `count` calls, one per node that it runs. */
struct avx2_call {
    uint32_t count; /* of this call and those that follow it */
    const struct heed_host *host;
    const struct avx2_node *node;
    struct avx2_operand in[HEED_MAX_INPUTS];
    struct avx2_operand out[HEED_MAX_OUTPUTS]; /* contiguous, cache_append's state excepted */
    void *scratch;                             /* node->scratch_bytes, aligned to 64 bytes */
};

typedef void (*avx2_kernel_fn)(const struct avx2_call *call);

struct avx2_kernel {
    const char *name;
    avx2_kernel_fn run;
};

/* kernels.inc is the one list of kernels. */
enum avx2_kernel_id {
    AVX2_KERNEL_NONE = 0,
#define KERNEL(ID, function) AVX2_##ID,
#include "kernels.inc"
#undef KERNEL
    AVX2_KERNEL_COUNT
};
#define KERNEL(ID, function) void function(const struct avx2_call *call);
#include "kernels.inc"
#undef KERNEL
extern const struct avx2_kernel heedi_avx2_kernels[AVX2_KERNEL_COUNT];

union avx2_attrs {
    uint32_t struct_size;
    struct heed_matmul_attrs matmul;
    struct heed_attention_attrs attention;
    struct heed_layer_norm_attrs layer_norm;
    struct heed_scale_attrs scale;
    struct heed_gelu_attrs gelu;
    struct heed_embedding_attrs embedding;
    struct heed_positions_attrs positions;
    struct heed_concat_attrs concat;
    struct heed_cast_attrs cast;
    struct heed_top_k_attrs top_k;
};

/* A tensor of a node as compiled. */
struct avx2_tensor {
    struct heed_tensor_desc desc;
    int32_t storage; /* tensor of the sub-graph that owns the memory, -1: absent */
    int64_t offset_bytes;
};

static inline bool heedi_avx2_present(const struct avx2_tensor *tensor) {
    return tensor->storage >= 0;
}

struct avx2_node {
    enum heed_op op;
    enum avx2_kernel_id kernel;
    const char *name;
    union avx2_attrs attrs; /* zero beyond what the host gave */
    uint32_t input_count, output_count;
    struct avx2_tensor in[HEED_MAX_INPUTS];
    struct avx2_tensor out[HEED_MAX_OUTPUTS];
    size_t scratch_bytes;
    uint32_t contiguous; /* bit i: input i must be made contiguous before the node can run */

    struct heed_prepared *prepared; /* packed weight, shared with other programs */
    const void *packed;
    void *table; /* owned by the node */
};

/* Nodes [first, first + count), done by one kernel. */
enum { AVX2_MOST_FUSED = 4 };
struct avx2_step {
    uint32_t first, count;
    enum avx2_kernel_id kernel;
};

/* How an operator becomes a node. */
struct avx2_operator {
    uint32_t attrs_size; /* 0: it has none */
    /* Looks at types, attributes and shapes and sets node->kernel. The host has validated shapes;
     * NULL when the node can be run, else why not. Allocates nothing. */
    const char *(*accept)(struct avx2_node *node);
    /* When compiling: makes packed weights and tables, sets scratch_bytes. May be NULL. */
    enum heed_status (*prepare)(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                struct avx2_node *node, struct heed_error *error);
};

extern const struct avx2_operator heedi_avx2_matmul, heedi_avx2_attention, heedi_avx2_softmax,
    heedi_avx2_log_softmax, heedi_avx2_layer_norm, heedi_avx2_binary, heedi_avx2_scale,
    heedi_avx2_gelu, heedi_avx2_unary, heedi_avx2_embedding, heedi_avx2_positions,
    heedi_avx2_concat, heedi_avx2_copy, heedi_avx2_cast, heedi_avx2_argmax, heedi_avx2_top_k,
    heedi_avx2_cache_append, heedi_avx2_gather_rows;

/* A backend opened. */
struct heed_plugin {
    const struct heed_host *host;
};

struct heed_plugin_state {
    const struct heed_host *host;
    struct heed_tensor_desc desc;
    size_t bytes;
    void *memory;
};

struct avx2_binding {
    int32_t tensor;
    uint32_t role;
    struct heed_tensor_desc desc;
    const char *name;
};

/* Where the memory of a storage owner comes from. */
struct avx2_storage {
    int64_t arena_offset_bytes; /* -1: not in the arena */
    int64_t bytes;
    uint32_t readers;     /* inputs of nodes that lie in it */
    int32_t binding;      /* -1: none */
    const void *constant; /* or NULL */
};

struct heed_plugin_program {
    const struct heed_host *host;
    struct avx2_node *nodes;
    struct avx2_step *steps;
    struct avx2_storage *storages; /* one per tensor of the sub-graph */
    struct avx2_binding *bindings;
    uint32_t node_count, step_count, tensor_count, binding_count;
    size_t arena_bytes, arena_alignment;
    size_t scratch_bytes;
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
enum heed_status heedi_avx2_fail(struct heed_error *error, enum heed_status status,
                                 const char *format, ...);
/* Copies a struct that its giver says is `source_bytes` long into `target`, zero-filled where the
 * giver's is shorter. False if it is longer with bytes that are not zero: an unknown demand. */
bool heedi_avx2_read(void *target, size_t target_bytes, const void *source, size_t source_bytes);
/* Zero-filled memory of the host, aligned to 64 bytes; NULL on failure or overflow. */
void *heedi_avx2_calloc(const struct heed_host *host, size_t count, size_t bytes);
void heedi_avx2_free(const struct heed_host *host, void *memory);

/* ---- program.c ---- */
enum heed_status heedi_avx2_query(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                  struct heed_claim *claims, size_t stride,
                                  struct heed_error *error);
enum heed_status heedi_avx2_compile(struct heed_plugin *plugin,
                                    const struct heed_subgraph *subgraph,
                                    struct heed_plugin_program **program, struct heed_error *error);
void heedi_avx2_program_destroy(struct heed_plugin_program *program);

/* ---- fuse.c ---- */
/* The step that begins with node `first` of a program whose nodes and storages are known. */
struct avx2_step heedi_avx2_fuse(const struct heed_plugin_program *program, uint32_t first);

/* ---- instance.c ---- */
enum heed_status heedi_avx2_instance_create(struct heed_plugin_program *program,
                                            struct heed_plugin_instance **instance,
                                            struct heed_error *error);
void heedi_avx2_instance_destroy(struct heed_plugin_instance *instance);
enum heed_status heedi_avx2_bind(struct heed_plugin_instance *instance, uint32_t binding,
                                 void *memory, struct heed_error *error);
enum heed_status heedi_avx2_bind_state(struct heed_plugin_instance *instance, uint32_t binding,
                                       struct heed_plugin_state *state, struct heed_error *error);
enum heed_status heedi_avx2_submit(struct heed_plugin_instance *instance, struct heed_error *error);
enum heed_status heedi_avx2_wait(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                                 struct heed_error *error);

/* ---- state.c ---- */
enum heed_status heedi_avx2_state_create(struct heed_plugin *plugin,
                                         const struct heed_tensor_desc *desc,
                                         struct heed_plugin_state **state,
                                         struct heed_error *error);
void heedi_avx2_state_destroy(struct heed_plugin_state *state);
enum heed_status heedi_avx2_state_write(struct heed_plugin_state *state, size_t offset_bytes,
                                        const void *data, size_t bytes, struct heed_error *error);
enum heed_status heedi_avx2_state_read(struct heed_plugin_state *state, size_t offset_bytes,
                                       void *data, size_t bytes, struct heed_error *error);

/* ---- profile.c ---- */
extern const struct heed_profile_extension heedi_avx2_profile;
uint64_t heedi_avx2_now_ns(void);

/* ---- elements.c ---- */
bool heedi_avx2_is_float(const struct avx2_tensor *tensor);
/* Asks for input `index` to be made contiguous unless neighbours in its last dimension are
 * neighbours in memory. */
void heedi_avx2_want_lines(struct avx2_node *node, uint32_t index);

/* `count` neighbouring elements from `offset` on as f32: a pointer to them where they lie, or to
 * `buffer` (count <= AVX2_BLOCK) after conversion. */
const float *heedi_avx2_load(const struct avx2_operand *x, int64_t offset, int64_t count,
                             float *buffer);
/* The same for elements `stride` apart, also 0. */
const float *heedi_avx2_load_strided(const struct avx2_operand *x, int64_t offset, int64_t stride,
                                     int64_t count, float *buffer);
/* One element as f32. */
float heedi_avx2_load_one(const struct avx2_operand *x, int64_t offset);
int32_t heedi_avx2_load_i32(const struct avx2_operand *x, int64_t offset);
/* Where to compute elements [offset, offset + count) of a contiguous result: in place if it is f32,
 * else in `buffer`; then heedi_avx2_store() with the same pointer rounds them to their type. */
float *heedi_avx2_target(const struct avx2_operand *y, int64_t offset, float *buffer);
void heedi_avx2_store(const struct avx2_operand *y, int64_t offset, int64_t count,
                      const float *values);
void heedi_avx2_zero(const struct avx2_operand *y, int64_t offset, int64_t count);
/* Copies `count` elements of `bytes` each without looking at them. Strides in elements. */
void heedi_avx2_move(void *target, const void *source, int64_t source_stride, int64_t count,
                     size_t bytes);

/* Offset of the element whose row-major number within the first `dims` dimensions is `index` and
 * whose further indices are 0. */
int64_t heedi_avx2_offset(const struct heed_tensor_desc *desc, uint32_t dims, int64_t index);
/* Rows of a tensor: the product of all dimensions but the last. */
int64_t heedi_avx2_rows(const struct heed_tensor_desc *desc);

/* parallel_for over `count` items of about `cost` cycles each, in pieces worth a thread's while. */
void heedi_avx2_parallel(const struct avx2_call *call, int64_t count, int64_t cost,
                         heed_range_fn fn, void *arg);

/* ---- loop.c ---- */
/* A loop over the elements of a contiguous result and the elements of up to two operands that
 * broadcast to it, in units of at most AVX2_BLOCK neighbours. Neighbouring dimensions that can be
 * walked as one are merged. */
struct avx2_loop {
    int64_t dims[HEED_MAX_RANK];
    int64_t strides[2][HEED_MAX_RANK];
    int64_t blocks; /* units per innermost row */
    int64_t units;
};
/* `b` may be NULL. */
struct avx2_loop heedi_avx2_loop(const struct heed_tensor_desc *y, const struct heed_tensor_desc *a,
                                 const struct heed_tensor_desc *b);
struct avx2_unit {
    int64_t y;    /* offset in the result */
    int64_t x[2]; /* offsets in the operands */
    int64_t count;
};
struct avx2_unit heedi_avx2_unit_at(const struct avx2_loop *loop, int64_t unit);

#endif
