/* SPDX-License-Identifier: Apache-2.0 */
/* What the plugins for a processor share, each with a copy of its own: all of the plugin interface
 * but the kernels. No plugin itself.
 *
 * A program is an array of nodes, each with its attributes and tensor descriptions copied from the
 * sub-graph, cut into steps: one node, or a few neighbours that one kernel does together. A run
 * calls the steps' kernels one after another; within a kernel the host's parallel_for spreads
 * independent pieces. Every element of a result is computed whole by one piece, in an order that
 * depends on shapes only, so the bits are the same for any number of threads and, over k, for any
 * number of rows; and a fused step gives the bits that its nodes would give alone.
 *
 * A plugin gives a struct cpu_backend, with its operators, and CPU_BACKEND_ENTRY. All that is here
 * is compiled for the oldest processor of the family, so that such a one gets a polite answer, and
 * moves elements without computing with them. */
#ifndef HEEDI_CPU_CPU_H
#define HEEDI_CPU_CPU_H

#include <stdbool.h>

#include "backends/common/common.h"

/* Elements that pass through a buffer on the stack at a time; a multiple of 16. */
#define CPU_BLOCK 256

/* A tensor at run time: `data` is its first element; NULL and NULL where it is absent. */
struct cpu_operand {
    const struct heed_tensor_desc *desc;
    void *data;
};

struct cpu_node;

/* What a kernel is called with: an array of `count` calls, one per node that it runs. */
struct cpu_call {
    uint32_t count; /* of this call and those that follow it */
    const struct heed_host *host;
    const struct cpu_node *node;
    struct cpu_operand in[HEED_MAX_INPUTS];
    struct cpu_operand out[HEED_MAX_OUTPUTS]; /* contiguous, cache_append's state excepted */
    void *scratch;                            /* node->scratch_bytes, aligned to 64 bytes */
};

struct cpu_kernel {
    const char *name;
    void (*run)(const struct cpu_call *call);
};

/* kernels.inc is the one list of the kernels that are here; a plugin has such a list of its own. */
enum cpu_kernel_id {
#define KERNEL(ID, function) CPU_##ID,
#include "kernels.inc"
#undef KERNEL
    CPU_KERNEL_COUNT
};
#define KERNEL(ID, function) void function(const struct cpu_call *call);
#include "kernels.inc"
#undef KERNEL
extern const struct cpu_kernel heedi_cpu_kernels[CPU_KERNEL_COUNT];

/* A tensor of a node as compiled. */
struct cpu_tensor {
    struct heed_tensor_desc desc;
    uint32_t role;   /* enum heed_role */
    int32_t storage; /* tensor of the sub-graph that owns the memory, -1: absent */
    int64_t offset_bytes;
    /* The weight that it is or is seen in, as it is stored in one stretch; 0: it is none. */
    uint64_t weight_id;
    struct heed_tensor_desc weight;
};

static inline bool heedi_cpu_present(const struct cpu_tensor *tensor) {
    return tensor->storage >= 0;
}

struct cpu_node {
    const struct heed_plugin *plugin;
    enum heed_op op;
    const struct cpu_kernel *kernel;
    const char *name;
    union heed_op_attrs attrs; /* zero beyond what the host gave */
    uint32_t input_count, output_count;
    struct cpu_tensor in[HEED_MAX_INPUTS];
    struct cpu_tensor out[HEED_MAX_OUTPUTS];
    size_t scratch_bytes;
    uint32_t contiguous; /* bit i: input i must be made contiguous before the node can run */

    struct heed_prepared *prepared; /* packed weight, shared with other programs */
    const void *packed;
    void *table; /* owned by the node */
};

/* Nodes [first, first + count), done by one kernel. */
enum { CPU_MOST_FUSED = 4 };
struct cpu_step {
    uint32_t first, count;
    const struct cpu_kernel *kernel;
};

/* How an operator becomes a node. */
struct cpu_operator {
    uint32_t attrs_size; /* 0: it has none */
    /* Looks at types, attributes and shapes and sets node->kernel. The host has validated shapes;
     * NULL when the node can be run, else why not. Allocates nothing. */
    const char *(*accept)(struct cpu_node *node);
    /* When compiling: makes packed weights and tables, sets scratch_bytes. May be NULL. */
    enum heed_status (*prepare)(struct heed_plugin *plugin, struct cpu_node *node,
                                struct heed_error *error);
};

/* Operators that only move elements: the same for every processor. */
extern const struct cpu_operator heedi_cpu_concat, heedi_cpu_copy, heedi_cpu_gather_rows;
extern const struct cpu_operator heedi_cpu_advance;

/* What is a plugin's own. */
struct cpu_backend {
    /* By enum heed_op; NULL for what it does not run. */
    const struct cpu_operator *const *operators;
    /* The step that begins with node `first` of a program whose nodes and storages are known. May
     * be NULL: each node is a step. */
    struct cpu_step (*fuse)(const struct heed_plugin_program *program, uint32_t first);
    /* NULL, or why it cannot be used on this processor. May be NULL. */
    const char *(*unusable)(void);
    /* When a device is opened; may set plugin->own. May be NULL. */
    void (*open)(struct heed_plugin *plugin);
    const char *option;                         /* the only one that it knows, or NULL */
    void (*describe)(char *text, size_t bytes); /* the one device */
    struct heed_numeric_profile numeric;
    uint32_t preference;
};

/* A backend opened. */
struct heed_plugin {
    const struct heed_host *host;
    const struct cpu_backend *backend;
    bool option;     /* backend->option was given */
    const void *own; /* constant data that backend->open has chosen, for the plugin's own files */
};

struct heed_plugin_state {
    const struct heed_host *host;
    struct heed_tensor_desc desc;
    size_t bytes;
    void *memory;
};

struct cpu_binding {
    int32_t tensor;
    uint32_t role;
    struct heed_tensor_desc desc;
    const char *name;
};

/* Where the memory of a storage owner comes from. */
struct cpu_storage {
    int64_t arena_offset_bytes; /* -1: not in the arena */
    int64_t bytes;
    uint32_t readers;     /* inputs of nodes that lie in it */
    int32_t binding;      /* -1: none */
    const void *constant; /* or NULL */
};

struct heed_plugin_program {
    const struct heed_host *host;
    struct cpu_node *nodes;
    struct cpu_step *steps;
    struct cpu_storage *storages; /* one per tensor of the sub-graph */
    struct cpu_binding *bindings;
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
enum heed_status heedi_cpu_enumerate(const struct cpu_backend *backend,
                                     struct heed_device_info *devices, uint32_t capacity,
                                     uint32_t *count, struct heed_error *error);
enum heed_status heedi_cpu_create(const struct cpu_backend *backend, const struct heed_host *host,
                                  const struct heed_plugin_options *options,
                                  struct heed_plugin **plugin, struct heed_error *error);
void heedi_cpu_destroy(struct heed_plugin *plugin);
const void *heedi_cpu_get_extension(const char *name);

/* ---- program.c ---- */
enum heed_status heedi_cpu_query(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                 struct heed_claim *claims, size_t stride,
                                 struct heed_error *error);
enum heed_status heedi_cpu_compile(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                   struct heed_plugin_program **program, struct heed_error *error);
void heedi_cpu_program_destroy(struct heed_plugin_program *program);

/* ---- instance.c ---- */
enum heed_status heedi_cpu_instance_create(struct heed_plugin_program *program,
                                           struct heed_plugin_instance **instance,
                                           struct heed_error *error);
void heedi_cpu_instance_destroy(struct heed_plugin_instance *instance);
enum heed_status heedi_cpu_bind(struct heed_plugin_instance *instance, uint32_t binding,
                                void *memory, struct heed_error *error);
enum heed_status heedi_cpu_bind_state(struct heed_plugin_instance *instance, uint32_t binding,
                                      struct heed_plugin_state *state, struct heed_error *error);
enum heed_status heedi_cpu_submit(struct heed_plugin_instance *instance, struct heed_error *error);
enum heed_status heedi_cpu_wait(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                                struct heed_error *error);

/* ---- state.c ---- */
enum heed_status heedi_cpu_state_create(struct heed_plugin *plugin,
                                        const struct heed_tensor_desc *desc,
                                        struct heed_plugin_state **state, struct heed_error *error);
void heedi_cpu_state_destroy(struct heed_plugin_state *state);
enum heed_status heedi_cpu_state_write(struct heed_plugin_state *state, size_t offset_bytes,
                                       const void *data, size_t bytes, struct heed_error *error);
enum heed_status heedi_cpu_state_read(struct heed_plugin_state *state, size_t offset_bytes,
                                      void *data, size_t bytes, struct heed_error *error);

/* ---- profile.c ---- */
extern const struct heed_profile_extension heedi_cpu_profile;
uint64_t heedi_cpu_now_ns(void);

/* ---- shape.c ---- */
bool heedi_cpu_is_float(const struct cpu_tensor *tensor);
/* Asks for input `index` to be made contiguous unless neighbours in its last dimension are
 * neighbours in memory. */
void heedi_cpu_want_lines(struct cpu_node *node, uint32_t index);
/* Whether `tensor` is the whole of a weight of two dimensions; then whether it is turned: seen
 * through a transpose. */
bool heedi_cpu_whole_weight(const struct cpu_tensor *tensor, bool *turned);
/* Offset of the element whose row-major number within the first `dims` dimensions is `index` and
 * whose further indices are 0. */
int64_t heedi_cpu_offset(const struct heed_tensor_desc *desc, uint32_t dims, int64_t index);
/* Rows of a tensor: the product of all dimensions but the last. */
int64_t heedi_cpu_rows(const struct heed_tensor_desc *desc);

/* A loop over the elements of a contiguous result and the elements of up to two operands that
 * broadcast to it, in units of at most CPU_BLOCK neighbours. Neighbouring dimensions that can be
 * walked as one are merged. */
struct cpu_loop {
    int64_t dims[HEED_MAX_RANK];
    int64_t strides[2][HEED_MAX_RANK];
    int64_t blocks; /* units per innermost row */
    int64_t units;
};
/* `b` may be NULL. */
struct cpu_loop heedi_cpu_loop(const struct heed_tensor_desc *y, const struct heed_tensor_desc *a,
                               const struct heed_tensor_desc *b);
struct cpu_unit {
    int64_t y;    /* offset in the result */
    int64_t x[2]; /* offsets in the operands */
    int64_t count;
};
struct cpu_unit heedi_cpu_unit_at(const struct cpu_loop *loop, int64_t unit);

/* parallel_for over `count` items of about `cost` cycles each, in pieces worth a thread's while. */
void heedi_cpu_parallel(const struct cpu_call *call, int64_t count, int64_t cost, heed_range_fn fn,
                        void *arg);

/* ---- accept.c: NULL, or what an operator's operands lack ---- */
/* A function of one value. */
const char *heedi_cpu_accept_float(const struct cpu_node *node);
/* A function of two values, all of float types or all i32. */
const char *heedi_cpu_accept_binary(const struct cpu_node *node);
/* The same for one of the elements of a row. */
const char *heedi_cpu_accept_rows(const struct cpu_node *node);
const char *heedi_cpu_accept_layer_norm(const struct cpu_node *node);
const char *heedi_cpu_accept_top_k(const struct cpu_node *node);

/* ---- activation.c ---- */
/* The function that a node of one value is, scale excepted. */
enum heed_activation heedi_cpu_activation(const struct cpu_node *node);
/* y[i] = f(x[i]) in plain C; y and x may be the same. */
void heedi_cpu_activate(enum heed_activation activation, float *y, const float *x, int64_t count);

/* ---- positions.c ---- */
/* A node's table becomes the wavelengths [width / 2] f64, rounded up to a multiple of `unit`. */
enum heed_status heedi_cpu_prepare_positions(const struct heed_host *host, struct cpu_node *node,
                                             uint32_t unit, struct heed_error *error);
const char *heedi_cpu_accept_positions(const struct cpu_node *node);

/* ---- cache_append.c ---- */
/* Copies n elements of x from one offset to another of the state. */
typedef void (*cpu_append_fn)(const struct cpu_call *call, int64_t from, int64_t to);
/* Calls `append` for the rows [begin, end) of x that fall inside the state. */
void heedi_cpu_append(const struct cpu_call *call, int64_t begin, int64_t end,
                      cpu_append_fn append);
const char *heedi_cpu_accept_cache_append(const struct cpu_node *node);

/* ---- move.c ---- */
int32_t heedi_cpu_load_i32(const struct cpu_operand *x, int64_t offset);
/* Where to compute elements [offset, offset + count) of a contiguous result: in place if it is f32,
 * else in `buffer`; then the plugin's store() with the same pointer rounds them to their type. */
float *heedi_cpu_target(const struct cpu_operand *y, int64_t offset, float *buffer);
void heedi_cpu_zero(const struct cpu_operand *y, int64_t offset, int64_t count);
/* Copies `count` elements of `bytes` each without looking at them. Strides in elements. */
void heedi_cpu_move(void *target, const void *source, int64_t source_stride, int64_t count,
                    size_t bytes);

/* ---- the entry of a plugin ---- */
/* Defines the table and the entry of plugin NAME, which is `backend`, a struct cpu_backend. */
#define CPU_BACKEND_ENTRY(NAME, DESCRIPTION, backend)                                              \
    static enum heed_status enumerate(struct heed_device_info *devices, size_t stride,             \
                                      uint32_t capacity, uint32_t *count,                          \
                                      struct heed_error *error) {                                  \
        (void)stride; /* there is one device */                                                    \
        return heedi_cpu_enumerate(&(backend), devices, capacity, count, error);                   \
    }                                                                                              \
    static enum heed_status create(const struct heed_host *host,                                   \
                                   const struct heed_plugin_options *options,                      \
                                   struct heed_plugin **plugin, struct heed_error *error) {        \
        return heedi_cpu_create(&(backend), host, options, plugin, error);                         \
    }                                                                                              \
    static const struct heed_backend table = {                                                     \
        .struct_size = sizeof(struct heed_backend),                                                \
        .abi_version = HEED_ABI_VERSION,                                                           \
        .name = #NAME,                                                                             \
        .version = HEED_VERSION_STRING,                                                            \
        .description = (DESCRIPTION),                                                              \
        .enumerate = enumerate,                                                                    \
        .create = create,                                                                          \
        .destroy = heedi_cpu_destroy,                                                              \
        .query = heedi_cpu_query,                                                                  \
        .compile = heedi_cpu_compile,                                                              \
        .program_destroy = heedi_cpu_program_destroy,                                              \
        .instance_create = heedi_cpu_instance_create,                                              \
        .instance_destroy = heedi_cpu_instance_destroy,                                            \
        .bind = heedi_cpu_bind,                                                                    \
        .bind_state = heedi_cpu_bind_state,                                                        \
        .submit = heedi_cpu_submit,                                                                \
        .wait = heedi_cpu_wait,                                                                    \
        .state_create = heedi_cpu_state_create,                                                    \
        .state_destroy = heedi_cpu_state_destroy,                                                  \
        .state_write = heedi_cpu_state_write,                                                      \
        .state_read = heedi_cpu_state_read,                                                        \
        .get_extension = heedi_cpu_get_extension,                                                  \
    };                                                                                             \
    HEED_BACKEND_ENTRY(NAME) {                                                                     \
        return HEED_ABI_VERSION_MAJOR(abi_version) == HEED_ABI_MAJOR ? &table : NULL;              \
    }

#endif
