/* SPDX-License-Identifier: Apache-2.0 */
/* The scalar plugin from the inside: what its files share.
 *
 * A program is an array of nodes. Each has its attributes and tensor descriptions copied from the
 * sub-graph and one kernel chosen when it was compiled. A run calls the kernels one after another;
 * within a kernel the host's parallel_for spreads independent pieces. Every element of a result is
 * computed whole by one piece, in an order that depends on shapes only, so the bits are the same
 * for any number of threads and, over k, for any number of rows. */
#ifndef HEEDI_SCALAR_SCALAR_H
#define HEEDI_SCALAR_SCALAR_H

#include <stdbool.h>

#include "heed/backend.h"

/* Elements that pass through a buffer on the stack at a time. A multiple of SCALAR_LANES. */
#define SCALAR_BLOCK 256
/* Partial sums kept by a reduction over contiguous elements: element i goes to sum i % 16. */
#define SCALAR_LANES 16

/* A tensor at run time: `data` is its first element; NULL and NULL where it is absent. */
struct scalar_operand {
    const struct heed_tensor_desc *desc;
    void *data;
};

struct scalar_node;

/* What a kernel is called with. */
struct scalar_call {
    const struct heed_host *host;
    const struct scalar_node *node;
    struct scalar_operand in[HEED_MAX_INPUTS];
    struct scalar_operand out[HEED_MAX_OUTPUTS]; /* contiguous, cache_append's state excepted */
    void *scratch;                               /* node->scratch_bytes, aligned to 64 bytes */
};

typedef void (*scalar_kernel_fn)(const struct scalar_call *call);

struct scalar_kernel {
    const char *name;
    scalar_kernel_fn run;
};

/* kernels.inc is the one list of kernels. */
enum scalar_kernel_id {
    SCALAR_KERNEL_NONE = 0,
#define KERNEL(ID, function) SCALAR_##ID,
#include "kernels.inc"
#undef KERNEL
    SCALAR_KERNEL_COUNT
};
#define KERNEL(ID, function) void function(const struct scalar_call *call);
#include "kernels.inc"
#undef KERNEL
extern const struct scalar_kernel heedi_scalar_kernels[SCALAR_KERNEL_COUNT];

union scalar_attrs {
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
struct scalar_tensor {
    struct heed_tensor_desc desc;
    int32_t storage; /* tensor of the sub-graph that owns the memory, -1: absent */
    int64_t offset_bytes;
};

struct scalar_node {
    enum heed_op op;
    enum scalar_kernel_id kernel;
    const char *name;
    union scalar_attrs attrs; /* zero beyond what the host gave */
    uint32_t input_count, output_count;
    struct scalar_tensor in[HEED_MAX_INPUTS];
    struct scalar_tensor out[HEED_MAX_OUTPUTS];
    size_t scratch_bytes;

    struct heed_prepared *prepared; /* packed weight, shared with other programs */
    const void *packed;
    void *table; /* owned by the node */
};

/* How an operator becomes a node. */
struct scalar_operator {
    uint32_t attrs_size; /* 0: it has none */
    /* Looks at types, attributes and shapes and sets node->kernel. The host has validated shapes;
     * NULL when the node can be run, else why not. Allocates nothing. */
    const char *(*accept)(struct scalar_node *node);
    /* When compiling: makes packed weights and tables, sets scratch_bytes. May be NULL. */
    enum heed_status (*prepare)(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                struct scalar_node *node, struct heed_error *error);
};

extern const struct scalar_operator heedi_scalar_matmul, heedi_scalar_attention,
    heedi_scalar_softmax, heedi_scalar_log_softmax, heedi_scalar_layer_norm, heedi_scalar_binary,
    heedi_scalar_scale, heedi_scalar_gelu, heedi_scalar_unary, heedi_scalar_embedding,
    heedi_scalar_positions, heedi_scalar_concat, heedi_scalar_copy, heedi_scalar_cast,
    heedi_scalar_argmax, heedi_scalar_top_k, heedi_scalar_cache_append, heedi_scalar_gather_rows;

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

struct scalar_binding {
    int32_t tensor;
    uint32_t role;
    struct heed_tensor_desc desc;
    const char *name;
};

/* Where the memory of a storage owner comes from. */
struct scalar_storage {
    int64_t arena_offset_bytes; /* -1: not in the arena */
    int32_t binding;            /* -1: none */
    const void *constant;       /* or NULL */
};

struct heed_plugin_program {
    const struct heed_host *host;
    struct scalar_node *nodes;
    struct scalar_storage *storages; /* one per tensor of the sub-graph */
    struct scalar_binding *bindings;
    uint32_t node_count, tensor_count, binding_count;
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
enum heed_status heedi_scalar_fail(struct heed_error *error, enum heed_status status,
                                   const char *format, ...);
/* Copies a struct that its giver says is `source_bytes` long into `target`, zero-filled where the
 * giver's is shorter. False if it is longer with bytes that are not zero: an unknown demand. */
bool heedi_scalar_read(void *target, size_t target_bytes, const void *source, size_t source_bytes);
/* Zero-filled memory of the host, aligned to 64 bytes; NULL on failure or overflow. */
void *heedi_scalar_calloc(const struct heed_host *host, size_t count, size_t bytes);
void heedi_scalar_free(const struct heed_host *host, void *memory);

/* ---- program.c ---- */
enum heed_status heedi_scalar_query(struct heed_plugin *plugin,
                                    const struct heed_subgraph *subgraph, struct heed_claim *claims,
                                    size_t stride, struct heed_error *error);
enum heed_status heedi_scalar_compile(struct heed_plugin *plugin,
                                      const struct heed_subgraph *subgraph,
                                      struct heed_plugin_program **program,
                                      struct heed_error *error);
void heedi_scalar_program_destroy(struct heed_plugin_program *program);

/* ---- instance.c ---- */
enum heed_status heedi_scalar_instance_create(struct heed_plugin_program *program,
                                              struct heed_plugin_instance **instance,
                                              struct heed_error *error);
void heedi_scalar_instance_destroy(struct heed_plugin_instance *instance);
enum heed_status heedi_scalar_bind(struct heed_plugin_instance *instance, uint32_t binding,
                                   void *memory, struct heed_error *error);
enum heed_status heedi_scalar_bind_state(struct heed_plugin_instance *instance, uint32_t binding,
                                         struct heed_plugin_state *state, struct heed_error *error);
enum heed_status heedi_scalar_submit(struct heed_plugin_instance *instance,
                                     struct heed_error *error);
enum heed_status heedi_scalar_wait(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                                   struct heed_error *error);

/* ---- state.c ---- */
enum heed_status heedi_scalar_state_create(struct heed_plugin *plugin,
                                           const struct heed_tensor_desc *desc,
                                           struct heed_plugin_state **state,
                                           struct heed_error *error);
void heedi_scalar_state_destroy(struct heed_plugin_state *state);
enum heed_status heedi_scalar_state_write(struct heed_plugin_state *state, size_t offset_bytes,
                                          const void *data, size_t bytes, struct heed_error *error);
enum heed_status heedi_scalar_state_read(struct heed_plugin_state *state, size_t offset_bytes,
                                         void *data, size_t bytes, struct heed_error *error);

/* ---- profile.c ---- */
extern const struct heed_profile_extension heedi_scalar_profile;
uint64_t heedi_scalar_now_ns(void);

/* ---- elements.c ---- */
bool heedi_scalar_is_float(const struct scalar_tensor *tensor);
bool heedi_scalar_present(const struct scalar_tensor *tensor);

/* `count` elements from `offset` on, `stride` apart, as f32: a pointer to them where they lie, or
 * to `buffer` (count <= SCALAR_BLOCK) after conversion. */
const float *heedi_scalar_load(const struct scalar_operand *x, int64_t offset, int64_t stride,
                               int64_t count, float *buffer);
/* One element as f32. */
float heedi_scalar_load_one(const struct scalar_operand *x, int64_t offset);
/* Where to compute elements [offset, offset + count) of a contiguous result: in place if it is f32,
 * else in `buffer`; then heedi_scalar_store() with the same pointer rounds them to their type. */
float *heedi_scalar_target(const struct scalar_operand *y, int64_t offset, float *buffer);
void heedi_scalar_store(const struct scalar_operand *y, int64_t offset, int64_t count,
                        const float *values);
void heedi_scalar_zero(const struct scalar_operand *y, int64_t offset, int64_t count);
/* Copies `count` elements of `bytes` each without looking at them. Strides in elements. */
void heedi_scalar_move(void *target, const void *source, int64_t source_stride, int64_t count,
                       size_t bytes);
int32_t heedi_scalar_load_i32(const struct scalar_operand *x, int64_t offset);

/* Offset of the element whose row-major number within the first `dims` dimensions is `index` and
 * whose further indices are 0. */
int64_t heedi_scalar_offset(const struct heed_tensor_desc *desc, uint32_t dims, int64_t index);
/* Rows of a tensor: the product of all dimensions but the last. */
int64_t heedi_scalar_rows(const struct heed_tensor_desc *desc);

/* parallel_for over `count` items of about `cost` flops each, in pieces worth a thread's while. */
void heedi_scalar_parallel(const struct scalar_call *call, int64_t count, int64_t cost,
                           heed_range_fn fn, void *arg);

/* A loop over the elements of a contiguous result and the elements of up to two operands that
 * broadcast to it, in units of at most SCALAR_BLOCK neighbours. Neighbouring dimensions that can be
 * walked as one are merged. */
struct scalar_loop {
    int64_t dims[HEED_MAX_RANK];
    int64_t strides[2][HEED_MAX_RANK];
    int64_t blocks; /* units per innermost row */
    int64_t units;
};
/* `b` may be NULL. */
struct scalar_loop heedi_scalar_loop(const struct heed_tensor_desc *y,
                                     const struct heed_tensor_desc *a,
                                     const struct heed_tensor_desc *b);
struct scalar_unit {
    int64_t y;    /* offset in the result */
    int64_t x[2]; /* offsets in the operands */
    int64_t count;
};
struct scalar_unit heedi_scalar_unit_at(const struct scalar_loop *loop, int64_t unit);

/* sum of x[i], and of x[i] * y[i], continued in `lanes`; heedi_scalar_fold adds the lanes up. A
 * `count` that is no multiple of SCALAR_LANES must be the last. */
void heedi_scalar_sum(float lanes[SCALAR_LANES], const float *x, int64_t count);
void heedi_scalar_dot(float lanes[SCALAR_LANES], const float *x, const float *y, int64_t count);
float heedi_scalar_fold(const float lanes[SCALAR_LANES]);

/* ---- elementwise.c ---- */
void heedi_scalar_activate(enum heed_activation activation, float *y, const float *x,
                           int64_t count);

#endif
