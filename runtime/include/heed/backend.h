/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The plugin interface: what a backend implements and what it is given.
 *
 * A plugin is a shared object `heed-backend-<name>.so` (or is linked in statically) that defines
 * one function with HEED_BACKEND_ENTRY(name). It includes this header with what that includes,
 * links nothing of Heed, and keeps no mutable globals. Plugins are never unloaded.
 *
 * Versions: HEED_ABI_VERSION is major << 16 | minor. A new major breaks, a new minor only adds. The
 * host calls heed_backend_entry(HEED_ABI_VERSION); a plugin that cannot serve that major returns
 * NULL; otherwise it returns its table with the version that it was built against. The host accepts
 * the same major with any minor.
 *
 * Structs: every struct starts with `struct_size` and is append-only. Whoever reads a struct reads
 * min(struct_size, what it knows) bytes; a field beyond struct_size is absent (zero). A struct that
 * is larger than the reader knows is accepted only if the extra bytes are all zero, else the reader
 * answers HEED_ERROR_UNSUPPORTED: unknown demands are never ignored. Arrays of structs carry a
 * stride.
 *
 * Errors: every fallible function returns enum heed_status and fills the caller-owned `error`
 * (never NULL). Memory handed over stays the giver's unless said otherwise.
 *
 * Threads: query, compile and state_create of one plugin may be called from several threads at
 * once; so may destructors. Functions of one instance or one program's different instances may be
 * called from several threads at once; calls on the same `heed_plugin_instance` never overlap. Host
 * functions may be called from any thread. */
#ifndef HEED_BACKEND_H
#define HEED_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "heed/ops.h"
#include "heed/status.h"
#include "heed/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HEED_ABI_MAJOR 1u
#define HEED_ABI_MINOR 0u
#define HEED_ABI_VERSION (HEED_ABI_MAJOR << 16 | HEED_ABI_MINOR)
#define HEED_ABI_VERSION_MAJOR(version) ((uint32_t)(version) >> 16)
#define HEED_ABI_VERSION_MINOR(version) ((uint32_t)(version)&0xffffu)

/* Opaque to the host, defined by the plugin. */
struct heed_plugin;          /* a backend opened on one device */
struct heed_plugin_program;  /* a compiled sub-graph: immutable, shared by threads */
struct heed_plugin_instance; /* arena and bindings to run a program; one thread at a time */
struct heed_plugin_state;    /* memory of one state tensor on the device */

/* Opaque to the plugin, defined by the host. */
struct heed_host_handle;
struct heed_prepared;

/* ---- What the host offers ---- */

/** One piece of a parallel loop: indices [begin, end). */
typedef void (*heed_range_fn)(void *arg, int64_t begin, int64_t end);

/** Makes the packed form of a weight. Called at most once per key and weight, by any thread. On
 * success *object is owned by the host until `destroy`. `bytes` is the device or host memory that
 * it holds, for the memory report. */
typedef enum heed_status (*heed_prepare_fn)(void *arg, const struct heed_tensor_desc *desc,
                                            const void *data, void **object, size_t *bytes,
                                            struct heed_error *error);
/** Frees what heed_prepare_fn made, when nobody refers to it any more. Any thread. */
typedef void (*heed_prepared_destroy_fn)(void *object);

/** Functions of the host. Valid as long as the plugin object that it was given to. */
struct heed_host {
    uint32_t struct_size;
    uint32_t abi_version;
    struct heed_host_handle *handle; /**< first argument of every function below */

    /** Logs one line. */
    void (*log)(struct heed_host_handle *handle, int32_t level, const char *line);

    /** Calls fn(arg, begin, end) for stretches that cover [0, count), each at least `grain` long
     * except the last and starting at a multiple of `grain`; returns when all are done. Which
     * thread does what is unspecified: results must not depend on it. Runs inline when nothing is
     * gained. */
    void (*parallel_for)(struct heed_host_handle *handle, int64_t count, int64_t grain,
                         heed_range_fn fn, void *arg);
    /** Threads that parallel_for may use, >= 1. */
    uint32_t (*thread_count)(struct heed_host_handle *handle);

    /** Memory, NULL on failure. `alignment` is a power of two. */
    void *(*allocate)(struct heed_host_handle *handle, size_t bytes, size_t alignment);
    void (*release)(struct heed_host_handle *handle, void *memory);

    /** The prepared form of weight `weight_id` under `layout` (a short name chosen by the plugin,
     * such as "f32_panel16"): made by `prepare` when it does not exist on this device, otherwise
     * shared. `*prepared` holds a reference until prepared_release; `*object` is what prepare made.
     * `keep_source`: 0 lets the host give the mapped source pages back after packing. */
    enum heed_status (*prepared_acquire)(struct heed_host_handle *handle, uint64_t weight_id,
                                         const char *layout, heed_prepare_fn prepare,
                                         heed_prepared_destroy_fn destroy, void *arg,
                                         uint32_t keep_source, struct heed_prepared **prepared,
                                         void **object, struct heed_error *error);
    void (*prepared_release)(struct heed_host_handle *handle, struct heed_prepared *prepared);
};

/* ---- What a sub-graph looks like ---- */

/** Where the memory of a tensor comes from. */
enum heed_role {
    HEED_ROLE_INTERNAL = 0, /**< lives inside the sub-graph, at arena_offset_bytes */
    HEED_ROLE_INPUT = 1,    /**< comes from outside: the host binds memory */
    HEED_ROLE_OUTPUT = 2,   /**< goes outside: the host binds memory */
    HEED_ROLE_CONSTANT = 3, /**< a weight: `data` is readable while the program lives */
    HEED_ROLE_STATE = 4     /**< memory of a heed_plugin_state bound by the host */
};

/** A tensor as nodes see it. Views are resolved: a view is a tensor with `storage` naming the
 * tensor that owns the memory, and its own dims, strides and offset. A storage owner names itself.
 * Role, binding, constant data and liveness belong to the storage owner (a view repeats its role).
 */
struct heed_subgraph_tensor {
    uint32_t struct_size;
    uint32_t role;    /**< enum heed_role */
    const char *name; /**< for messages */
    struct heed_tensor_desc desc;
    int32_t storage;            /**< index of the owner of the memory */
    int32_t binding;            /**< inputs, outputs, states: index for bind/bind_state; else -1 */
    int64_t offset_elems;       /**< of this tensor's first element from the start of the storage */
    int64_t bound;              /**< i32 values: exclusive upper bound if > 0 */
    uint64_t weight_id;         /**< constants: identity for prepared_acquire; else 0 */
    const void *data;           /**< constants: elements of the storage; else NULL */
    int64_t arena_offset_bytes; /**< internal: where the plan puts the storage, else -1 */
    int32_t first_node;         /**< internal: liveness, indices into nodes; else -1 */
    int32_t last_node;
};

/** An operator with its operands. Views have been resolved: they are no nodes. */
struct heed_subgraph_node {
    uint32_t struct_size;
    uint32_t op;         /**< enum heed_op */
    uint32_t op_version; /**< 1; raised when the meaning of an operator grows */
    uint32_t graph_node; /**< index in the whole graph, for the profile */
    const char *name;
    const void *attrs;   /**< block of the operator, NULL where it has none */
    uint32_t attrs_size; /**< bytes */
    uint32_t input_count;
    uint32_t output_count;
    int32_t inputs[HEED_MAX_INPUTS]; /**< tensor indices, -1: absent */
    int32_t outputs[HEED_MAX_OUTPUTS];
};

/** A piece of a graph: nodes in an order that respects all dependences. Read-only; valid during
 * `query` and `compile`; what a program needs of it, it copies (constant `data` and names excepted,
 * which live as long as the program). */
struct heed_subgraph {
    uint32_t struct_size;
    uint32_t tensor_count;
    const struct heed_subgraph_tensor *tensors;
    size_t tensor_stride;
    const struct heed_subgraph_node *nodes;
    size_t node_stride;
    uint32_t node_count;
    uint32_t binding_count; /**< boundary tensors: bindings 0 .. binding_count - 1 */
    uint64_t arena_bytes;   /**< size of the planned arena */
    uint32_t arena_alignment;
    const char *name;
};

static inline const struct heed_subgraph_tensor *
heed_subgraph_tensor_at(const struct heed_subgraph *subgraph, int32_t index) {
    return (const struct heed_subgraph_tensor *)(const void *)((const char *)subgraph->tensors +
                                                               (size_t)index *
                                                                   subgraph->tensor_stride);
}
static inline const struct heed_subgraph_node *
heed_subgraph_node_at(const struct heed_subgraph *subgraph, uint32_t index) {
    return (const struct heed_subgraph_node *)(const void *)((const char *)subgraph->nodes +
                                                             (size_t)index * subgraph->node_stride);
}

/* ---- What a plugin offers ---- */

enum heed_device_type {
    HEED_DEVICE_CPU = 1,
    HEED_DEVICE_GPU_INTEGRATED = 2,
    HEED_DEVICE_GPU_DISCRETE = 3,
    HEED_DEVICE_SOFTWARE = 4, /**< a GPU interface computed by the CPU: never chosen by itself */
    HEED_DEVICE_OTHER = 5
};

enum {
    HEED_DEVICE_HOST_MEMORY = 1u << 0 /**< works on host pointers: boundaries need no copies */
};

/** How a backend computes, for deriving error bounds. */
struct heed_numeric_profile {
    uint32_t struct_size;
    float unit_roundoff; /**< of f32 arithmetic: 2^-24 to nearest, 2^-23 where unspecified */
    float exp_ulp;       /**< largest error of exp, in units in the last place */
    float tanh_ulp;
    float erf_ulp;
    uint32_t accumulator; /**< enum heed_dtype of long sums */
    uint32_t flushes_denormals;
};

/** A device as a plugin describes it. */
struct heed_device_info {
    uint32_t struct_size;
    uint32_t type;           /**< enum heed_device_type */
    uint32_t flags;          /**< HEED_DEVICE_* bits */
    uint32_t plan_alignment; /**< alignment of tensors in the arena, bytes; 0: 64 */
    uint64_t memory_bytes;   /**< 0: unknown */
    char name[128];
    char description[256]; /**< driver, features in use */
    char identity[64];     /**< equal for the same hardware, "" if unknown */
    struct heed_numeric_profile numeric;
    uint32_t
        preference; /**< orders backends of one device type in "auto", higher first; plain C: 0 */
};

/** Answer to whether a node can be run. */
enum heed_verdict {
    HEED_VERDICT_NO = 0,
    HEED_VERDICT_YES = 1,
    /** yes, if the inputs in `contiguous_inputs` are made contiguous first */
    HEED_VERDICT_CONTIGUOUS = 2
};

/** What a plugin says about one node. */
struct heed_claim {
    uint32_t struct_size;
    uint32_t verdict;           /**< enum heed_verdict */
    uint32_t contiguous_inputs; /**< bit i: input i */
    char reason[112];           /**< for NO: why, shown by --verbose; may be "" */
};

struct heed_plugin_options {
    uint32_t struct_size;
    uint32_t device;     /**< index as enumerated */
    const char *options; /**< "key=value,key=value" given by the user, or "" */
};

/** Time spent by one node (or a fused group) in the last run. */
struct heed_profile_entry {
    uint32_t struct_size;
    uint32_t node;        /**< index into the sub-graph's nodes; the last of a fused group */
    uint32_t fused_count; /**< nodes of the group that precede it, 0: none */
    uint32_t dispatches;  /**< kernels that the device was asked to start for it; 0: not counted */
    uint64_t begin_ns;    /**< monotonic clock of the host, or offset from the start of the run */
    uint64_t end_ns;
    const char *kernel; /**< name of the kernel, static */
};

/** Extension "heed.profile/1": timing of runs. Off until enabled for an instance. */
#define HEED_EXTENSION_PROFILE "heed.profile/1"
struct heed_profile_extension {
    uint32_t struct_size;
    void (*enable)(struct heed_plugin_instance *instance, uint32_t on);
    /** Entries of the last finished run; valid until the next run. */
    uint32_t (*entries)(struct heed_plugin_instance *instance,
                        const struct heed_profile_entry **entries);
};

/** Extension "heed.report/1": what is to be said of a device beyond struct heed_device_info. */
#define HEED_EXTENSION_REPORT "heed.report/1"
struct heed_report_extension {
    uint32_t struct_size;
    /** Writes lines "name: text" about a device, by its index as enumerated, into `text` of
     * `bytes`, 0 at the end. Names are lower case and short; what does not fit is left out. Like
     * enumerate, cheap and without side effects. */
    enum heed_status (*write)(uint32_t device, char *text, size_t bytes, struct heed_error *error);
};

/** How often something has happened. */
struct heed_counter {
    uint32_t struct_size;
    uint32_t reserved;
    const char *name; /**< of lower-case letters, digits and '_', static */
    uint64_t value;
};

/** Extension "heed.counters/1": what runs cost besides the work itself. The host shows differences
 * before and after a run, so that a count may be of the instance or of all that the plugin does.
 * Names that several backends may have:
 *   submissions         pieces of work handed to the device
 *   dispatches          kernels started by these
 *   recorded_commands   command buffers encoded
 *   written_descriptors descriptors written
 *   device_allocations  stretches of device memory taken
 *   host_ns             time that the processor has spent on runs, waiting excluded; counted while
 *                       the profile extension is enabled */
#define HEED_EXTENSION_COUNTERS "heed.counters/1"
struct heed_counters_extension {
    uint32_t struct_size;
    /** An array of the counters, of its own struct_size; valid until the next call of the instance.
     * The same names in the same order every time. */
    uint32_t (*counters)(struct heed_plugin_instance *instance,
                         const struct heed_counter **counters);
};

/** Bindings of an output that the next step reads as an input. */
struct heed_plugin_carry {
    uint32_t output;
    uint32_t input;
};

/** What a run of several steps passes on and keeps. */
struct heed_plugin_steps {
    uint32_t struct_size;
    uint32_t most; /**< steps of a run, at least 1 */
    uint32_t carry_count;
    uint32_t stacked_count;
    const struct heed_plugin_carry *carries; /**< no output is an input, each input is there once */
    const uint32_t *stacked;                 /**< bindings of outputs, each once */
    void *const *memory; /**< one for each: room for `most` of it back to back, valid as long as
                            the instance */
};

/** Extension "heed.steps/1": several steps of a program as one piece of work. Before every step but
 * the first the plugin copies the outputs named in carries to the inputs; after each it keeps the
 * stacked outputs. Memory bound to other outputs is left alone. */
#define HEED_EXTENSION_STEPS "heed.steps/1"
struct heed_steps_extension {
    uint32_t struct_size;
    /** Makes what such runs need, once for an instance; no run allocates afterwards. With
     * HEED_ERROR_UNSUPPORTED the host passes on and keeps. `steps` is valid during the call. */
    enum heed_status (*configure)(struct heed_plugin_instance *instance,
                                  const struct heed_plugin_steps *steps, struct heed_error *error);
    /** As heed_backend.submit, of `count` steps (1 to `most`); heed_backend.wait ends it. */
    enum heed_status (*submit)(struct heed_plugin_instance *instance, uint32_t count,
                               struct heed_error *error);
    /** What handing the device work and hearing that it is done takes, besides the work; 0:
     * unknown. NULL is allowed. It may decide how many steps are taken at once, never a result. */
    uint64_t (*submission_ns)(struct heed_plugin *plugin);
};

/** A piece of work to compare choices by. Dims of a product are m, k, n, of [m, k] by a weight
 * [n, k] of type `dtype`, transposed; of attention they are batches, heads, queries, keys, width.
 */
struct heed_tune_case {
    uint32_t op;    /**< HEED_OP_MATMUL or HEED_OP_ATTENTION */
    uint32_t dtype; /**< of weights, or of keys and values */
    int64_t dims[5];
};

enum { HEED_TUNE_CHOICES = 8, HEED_TUNE_CASES = 4 };

/** A kernel that can do its work in several shapes. */
struct heed_tune_kernel {
    uint32_t struct_size;
    uint32_t choice_count;
    uint32_t standard; /**< the choice that is made where nobody has measured */
    uint32_t case_count;
    const char *name;                       /**< key of the option that chooses: "skinny" */
    const char *choices[HEED_TUNE_CHOICES]; /**< its values that this device can run; static */
    struct heed_tune_case cases[HEED_TUNE_CASES];
};

/** Extension "heed.tune/1": which shapes of workgroups suit a device. A choice is tried by opening
 * the device with the option `name=choice`. */
#define HEED_EXTENSION_TUNE "heed.tune/1"
struct heed_tune_extension {
    uint32_t struct_size;
    /** Writes kernel `index`, struct_size being set by the caller; 0 behind the last one. */
    uint32_t (*kernel)(const struct heed_plugin *plugin, uint32_t index,
                       struct heed_tune_kernel *kernel);
    /** Keeps choices, "name=choice,name=choice", for whoever opens this device after now without
     * an option that says otherwise; "" goes back to the standard ones. */
    enum heed_status (*save)(const struct heed_plugin *plugin, const char *choices,
                             struct heed_error *error);
};

/** The table of a backend. All functions are required unless marked optional. */
struct heed_backend {
    uint32_t struct_size;
    uint32_t abi_version; /**< HEED_ABI_VERSION at the plugin's build */
    const char *name;     /**< "scalar": lower-case letters, digits, '_' */
    const char *version;
    const char *description; /**< one line */

    /** Describes devices. Writes at most `capacity` entries `stride` bytes apart into `devices`
     * (its elements' struct_size is set by the caller) and sets *count to how many there are. None
     * is not an error: *count = 0 and a reason in error->message. Must be cheap and have no side
     * effects. */
    enum heed_status (*enumerate)(struct heed_device_info *devices, size_t stride,
                                  uint32_t capacity, uint32_t *count, struct heed_error *error);

    /** Opens a device. `host` stays valid until destroy. */
    enum heed_status (*create)(const struct heed_host *host,
                               const struct heed_plugin_options *options,
                               struct heed_plugin **plugin, struct heed_error *error);
    /** After all programs and states of the plugin are gone. NULL is allowed. */
    void (*destroy)(struct heed_plugin *plugin);

    /** Says for each node of `subgraph` whether the plugin can run it. `claims` has node_count
     * entries `stride` bytes apart, struct_size set by the caller. Nothing is planned yet: arena
     * offsets are -1 and every tensor that is neither constant nor state looks internal. */
    enum heed_status (*query)(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                              struct heed_claim *claims, size_t stride, struct heed_error *error);

    /** Compiles a sub-graph whose nodes were all claimed. */
    enum heed_status (*compile)(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                struct heed_plugin_program **program, struct heed_error *error);
    /** After all its instances are gone. NULL is allowed. */
    void (*program_destroy)(struct heed_plugin_program *program);

    /** Makes what a run needs; no run allocates afterwards. */
    enum heed_status (*instance_create)(struct heed_plugin_program *program,
                                        struct heed_plugin_instance **instance,
                                        struct heed_error *error);
    void (*instance_destroy)(struct heed_plugin_instance *instance);

    /** Binds host memory to an input or output: contiguous elements, aligned to 64 bytes, valid
     * until bound anew or the instance is destroyed. The host rewrites inputs between runs. */
    enum heed_status (*bind)(struct heed_plugin_instance *instance, uint32_t binding, void *memory,
                             struct heed_error *error);
    /** Binds a state of the same plugin, of the same type and dims. */
    enum heed_status (*bind_state)(struct heed_plugin_instance *instance, uint32_t binding,
                                   struct heed_plugin_state *state, struct heed_error *error);

    /** Starts a run; everything must be bound. Inputs may not change until wait returns. */
    enum heed_status (*submit)(struct heed_plugin_instance *instance, struct heed_error *error);
    /** Waits at most `timeout_ns` for the run; HEED_ERROR_TIMEOUT leaves it running. With
     * UINT64_MAX the backend waits for as long as the device may take, and HEED_ERROR_TIMEOUT says
     * that it is given up. A host backend may do all the work in submit. A backend that guards
     * memory which the host does not see, and finds that a run has written beyond a tensor, says
     * HEED_ERROR_INTERNAL with a message that begins with "guards: ". */
    enum heed_status (*wait)(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                             struct heed_error *error);

    /** Device memory for a state, zero-filled. */
    enum heed_status (*state_create)(struct heed_plugin *plugin,
                                     const struct heed_tensor_desc *desc,
                                     struct heed_plugin_state **state, struct heed_error *error);
    void (*state_destroy)(struct heed_plugin_state *state);
    /** Copy bytes in and out, for tests, growth and recovery. No run may be using the state. */
    enum heed_status (*state_write)(struct heed_plugin_state *state, size_t offset_bytes,
                                    const void *data, size_t bytes, struct heed_error *error);
    enum heed_status (*state_read)(struct heed_plugin_state *state, size_t offset_bytes, void *data,
                                   size_t bytes, struct heed_error *error);

    /** Optional (may be NULL): an ability by name, or NULL if unknown. The table is static. */
    const void *(*get_extension)(const char *name);
};

typedef const struct heed_backend *(*heed_backend_entry_fn)(uint32_t abi_version);
#define HEED_BACKEND_ENTRY_SYMBOL "heed_backend_entry"

/** Declares (and, followed by a body, defines) the entry of a plugin: in a shared object the symbol
 * is `heed_backend_entry`; with HEED_STATIC_PLUGIN defined it is `heed_backend_entry_<name>`, so
 * that several can be linked into one program. */
#if defined(_WIN32)
#define HEED_PLUGIN_EXPORT __declspec(dllexport)
#else
#define HEED_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif
#ifdef __cplusplus
#define HEED_PLUGIN_C extern "C"
#else
#define HEED_PLUGIN_C
#endif
#if defined(HEED_STATIC_PLUGIN)
#define HEED_BACKEND_ENTRY(name)                                                                   \
    HEED_PLUGIN_C const struct heed_backend *heed_backend_entry_##name(uint32_t);                  \
    HEED_PLUGIN_C const struct heed_backend *heed_backend_entry_##name(uint32_t abi_version)
#else
#define HEED_BACKEND_ENTRY(name)                                                                   \
    HEED_PLUGIN_C HEED_PLUGIN_EXPORT const struct heed_backend *heed_backend_entry(uint32_t);      \
    HEED_PLUGIN_C HEED_PLUGIN_EXPORT const struct heed_backend *heed_backend_entry(                \
        uint32_t abi_version)
#endif

#ifdef __cplusplus
}
#endif
#endif
