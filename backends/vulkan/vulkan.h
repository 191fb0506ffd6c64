/* SPDX-License-Identifier: Apache-2.0 */
/* The Vulkan plugin from the inside.
 *
 * A sub-graph becomes a list of dispatches (program.c, one file per operator): a shader, its
 * specialization and push constants, and up to four storage buffers. An instance (instance.c) owns
 * one piece of device memory for what its program reads and writes, and one command buffer in which
 * the dispatches are recorded once, with barriers only between those that touch the same bytes; a
 * run submits it. Boundary tensors are written and read by the host in that memory where it can be
 * mapped, else through a staging buffer by copies that are recorded too.
 *
 * Nothing assumes more than the least that Vulkan 1.1 promises unless vk_device.limits says so.
 *
 * Threads: a device's queue, memory and pipelines are guarded by mutexes of struct heed_plugin. */
#ifndef HEEDI_VULKAN_VULKAN_H
#define HEEDI_VULKAN_VULKAN_H

#include <pthread.h>
#include <stdbool.h>
#include <volk.h>

#include "backends/common/common.h"
#include "backends/vulkan/device.h"
#include "backends/vulkan/forms.h"
#include "shaders/params.h"

/* ---- memory ---- */

struct vk_block;

/* A stretch of device memory. `mapped` is NULL where the host cannot see it. */
struct vk_region {
    struct vk_block *block;
    VkBuffer buffer;
    uint64_t offset, bytes;
    void *mapped;
};

enum vk_memory_kind {
    VK_MEMORY_DEVICE = 0,  /* what shaders use; mapped where device memory can be */
    VK_MEMORY_STAGING = 1, /* mapped always */
    VK_MEMORY_KINDS
};

struct vk_memory {
    pthread_mutex_t mutex;
    struct vk_block *blocks;
    uint64_t allocated_bytes;
    uint64_t taken; /* regions by now; atomic */
};

/* ---- transfers ---- */

/* A ring of staging memory through which transfers go (transfer.c). */
enum { VK_RING_SLOTS = 4, VK_SLOT_BYTES = 4 << 20 };

struct vk_slot {
    VkCommandBuffer commands;
    VkFence fence;
    bool busy;
};
struct vk_ring {
    pthread_mutex_t mutex; /* guards all of it; taken before those of memory and of the queue */
    bool ready;
    VkCommandPool pool;
    struct vk_region staging;
    struct vk_slot slots[VK_RING_SLOTS];
    uint32_t next;
};

/* ---- shaders and pipelines ---- */

/* kernels.inc is the one list of shaders. */
enum vk_shader {
#define SHADER(ID, name, bindings) VK_SHADER_##ID,
#include "kernels.inc"
#undef SHADER
    VK_SHADER_COUNT
};
struct vk_shader_info {
    const char *name;
    const uint32_t *code;
    size_t code_bytes;
    uint32_t bindings;
};
extern const struct vk_shader_info heedi_vk_shaders[VK_SHADER_COUNT];

/* Whether the compiler for shaders knew what the shader needs. */
static inline bool heedi_vk_is_built(enum vk_shader shader) {
    return heedi_vk_shaders[shader].code_bytes > sizeof(uint32_t);
}

struct vk_pipeline {
    struct vk_pipeline *next;
    enum vk_shader shader;
    uint32_t constants[HEED_MAX_CONSTANTS];
    VkPipeline handle;
};

/* A device that does not answer for so long is given up: none works on a submission for two
 * minutes (wait.c). */
#define VK_MOST_WAIT_NS 120000000000u

/* ---- shapes of workgroups ---- */

/* A workgroup of tx by ty invocations, each with tm rows and tn columns. */
struct vk_tile {
    uint32_t tx, ty, tm, tn;
};
enum {
    VK_TILE_SIZES = 3
}; /* for products that fill the device with large, middling, small tiles */

/* What is chosen for a device (tune.c). Results do not depend on it beyond the order of sums. */
struct vk_tuning {
    struct vk_tile tiles[VK_TILE_SIZES]; /* tx 0: as matmul.c likes */
    uint32_t lanes, columns;             /* of products with few rows */
    uint32_t attention;                  /* widest workgroup of attention */
};

/* Rows, columns and depth of a product of cooperative matrices (coop.c). */
struct vk_matrix {
    uint32_t m, n, k;
};

/* ---- faults on purpose ---- */

/* HEED_VULKAN_FAULT=lost@N, memory@N, host@N or timeout@N: the Nth call that may fail does so;
 * after a lost device, all that follow. hang@N: from there on no wait has an end, and how long they
 * would have taken is logged at last. HEED_VULKAN_FAULT=selftest: see selftest.c. barriers: they
 * are left out, so that a checker of hazards shows that it sees. For tests. */
struct vk_fault {
    VkResult result;
    int left; /* calls until then; atomic, by built-ins, as this header must be readable as C++ */
    bool hangs;
    uint64_t waited_ns; /* in vain; atomic */
};

/* A call of a function of the device, or the fault that stands in for it. */
#define VK_TRY(plugin, function, ...)                                                              \
    (heedi_vk_fault((plugin)->fault) ? (plugin)->fault->result : (plugin)->vk.function(__VA_ARGS__))

static inline bool heedi_vk_fault(struct vk_fault *fault) {
    if (fault == NULL)
        return false;
    const int left = __atomic_fetch_sub(&fault->left, 1, __ATOMIC_RELAXED);
    return (left == 1 && !fault->hangs) || (left < 1 && fault->result == VK_ERROR_DEVICE_LOST);
}

/* ---- the plugin opened on a device ---- */

struct heed_plugin {
    const struct heed_host *host;
    VkInstance instance;
    struct vk_device device;
    VkDevice handle;
    struct VolkDeviceTable vk; /* functions of the device */
    struct vk_fault *fault;    /* NULL: none */
    uint64_t waited_ns;        /* since the device last answered; atomic */
    bool without_barriers;     /* HEED_VULKAN_FAULT=barriers: what checks runs should see it */
    bool overruns;             /* HEED_VULKAN_FAULT=overrun: with guards, what they should see */
    bool guards;               /* HEED_VULKAN_GUARDS=on */
    bool records_always;       /* HEED_VULKAN_RECORD=always: no run replays what another recorded */
    uint64_t state_count;      /* made by now; atomic */
    uint64_t submission_ns;    /* what one costs; 0: unknown */
    VkQueue queue;
    pthread_mutex_t queue_mutex;
    struct vk_memory memory;
    struct vk_ring ring;
    VkDescriptorSetLayout set_layout; /* HEED_MAX_BINDINGS storage buffers */
    VkPipelineLayout pipeline_layout;
    VkPipelineCache pipeline_cache;
    pthread_mutex_t pipeline_mutex; /* guards what follows */
    VkShaderModule modules[VK_SHADER_COUNT];
    struct vk_pipeline *pipelines;
    struct vk_weight *tables; /* which programs use */
    bool stats;               /* pipelines tell how they were compiled */
    uint64_t cache_hash;      /* of what the disk has; 0: nothing */
    pthread_mutex_t trial_mutex;
    enum vk_proof proofs[VK_FORM_COUNT]; /* guarded by it */
    bool wrong_trials;                   /* HEED_VULKAN_FAULT=selftest: none succeeds */
    struct vk_tuning tuning;
    bool rounds_to_f16;      /* the option f16=1: f32 may be rounded to f16 for a product */
    struct vk_matrix matrix; /* what cooperative matrices are made of; m 0: there are none */
};

/* ---- programs ---- */

/* A tensor of a node. */
struct vk_tensor {
    struct heed_tensor_desc desc;
    uint32_t role;   /* enum heed_role */
    int32_t storage; /* tensor of the sub-graph that owns the memory, -1: absent */
    uint64_t owner_bytes;
    int64_t offset_elems;
    int64_t bound;
};

static inline bool heedi_vk_present(const struct vk_tensor *tensor) {
    return tensor->storage >= 0;
}

struct vk_node {
    const struct heed_plugin *plugin;
    enum heed_op op;
    const char *name;
    union heed_op_attrs attrs; /* zero beyond what the host gave */
    uint32_t input_count, output_count;
    struct vk_tensor in[HEED_MAX_INPUTS];
    struct vk_tensor out[HEED_MAX_OUTPUTS];
    uint32_t contiguous; /* bit i: input i must be made contiguous before the node can run */
};

/* Where a binding of a dispatch lies: in a storage, or in all that an instance owns. */
enum { VK_STORAGE_ALL = -1, VK_STORAGE_NONE = -2 };

struct vk_binding {
    int32_t storage; /* tensor index, or one of the above */
    bool writes;
    uint32_t tail_bytes;          /* of its room (fuse.c), shown behind it */
    uint64_t offset_bytes, bytes; /* a part of this; 0 bytes: all of the storage */
};

struct vk_dispatch {
    uint32_t node;        /* the last of a fused group */
    uint32_t fused_count; /* nodes of the group before it */
    uint32_t batch;       /* submitted together */
    enum vk_shader shader;
    VkPipeline pipeline;
    struct vk_binding bindings[HEED_MAX_BINDINGS];
    uint32_t groups[3];
    uint32_t push_bytes;
    unsigned char push[HEED_PUSH_BYTES];
};

/* Most constants that one binding shows side by side (weight.c). */
enum { VK_MAX_PARTS = 12 };

/* Memory of a storage owner: in the memory of an instance, of a weight, or of a bound state.
 * Constants come to the device when the first dispatch that binds them is made. */
struct vk_storage {
    uint64_t bytes;
    int64_t offset_bytes; /* in the memory of an instance; -1: elsewhere */
    int32_t binding;      /* inputs, outputs, states: of the program; else -1 */
    uint32_t role;
    int32_t first_node, last_node;  /* internal: the nodes between which it lives */
    uint64_t weight_id;             /* constants: of the host, 0: the program's own, or packed */
    const void *data;               /* of the same */
    const struct vk_weight *weight; /* or NULL */
    struct heed_prepared *prepared; /* a reference, of that */
    struct vk_weight *table;        /* the same weight, if it is a table: a reference */
    uint32_t part_count;            /* packed: storages whose constants it holds */
    int32_t parts[VK_MAX_PARTS];
    bool is_laid_out; /* elements of `data` as a view has them, one after another: */
    struct heed_tensor_desc view;
    int64_t view_offset;
};

/* Memory of an instance that the host's plan does not know (fuse.c): `bytes` of a storage that
 * lives until node `busy_until`, then `tail_bytes`, which are zero when an instance is made. */
struct vk_room {
    uint64_t offset_bytes, bytes;
    uint32_t tail_bytes;
    int32_t busy_until;
};

/* A boundary tensor. */
struct vk_boundary {
    int32_t tensor; /* -1: the sub-graph does not use it */
    uint32_t role;
    struct heed_tensor_desc desc;
    const char *name;
    uint64_t staging_offset; /* where there is staging memory, of inputs and outputs */
};

/* Pieces of memory that nodes take in turn for what they keep between their dispatches: several, so
 * that neighbours need not wait for each other. */
enum { VK_SCRATCH_AREAS = 4 };

struct heed_plugin_program {
    struct heed_plugin *plugin;
    struct vk_node *nodes;
    struct vk_storage *storages; /* one per tensor of the sub-graph, then the program's tables */
    struct vk_boundary *boundaries;
    struct vk_dispatch *dispatches;
    struct vk_room *rooms;
    uint32_t node_count, tensor_count, storage_count, boundary_count, dispatch_count,
        dispatch_capacity, room_count;
    uint32_t group_first; /* of the group of nodes that is being built */
    uint32_t batch_count; /* at least 1 */
    uint32_t calm_steps;  /* so many of them together are no more work than a batch; at least 1 */
    uint64_t instance_bytes; /* inputs, outputs, arena, what operators asked for, then scratch */
    uint64_t staging_bytes;  /* of inputs and outputs side by side */
    int32_t scratch[VK_SCRATCH_AREAS]; /* storages; 0: none yet */
    uint32_t scratch_asked;
    bool apart; /* nothing is fused */
    uint32_t
        granted_forms; /* of a test: bits of enum vk_form that are used without one, no others */
};

/* ---- an operator ---- */

struct vk_operator {
    uint32_t attrs_size; /* 0: it has none */
    uint32_t cuts;       /* bit i: input i may be a constant larger than a storage buffer shows */
    /* Looks at types, attributes and shapes. The host has validated shapes; NULL when the node can
     * be run, else why not. */
    const char *(*accept)(struct vk_node *node);
    /* Adds the node's dispatches to the program, by heedi_vk_dispatch. */
    enum heed_status (*build)(struct heed_plugin_program *program, uint32_t node,
                              struct heed_error *error);
};
extern const struct vk_operator *const heedi_vk_operators[HEED_OP_COUNT_PLUS_ONE];

extern const struct vk_operator heedi_vk_matmul, heedi_vk_attention;
extern const struct vk_operator heedi_vk_softmax, heedi_vk_layer_norm;
extern const struct vk_operator heedi_vk_binary, heedi_vk_unary, heedi_vk_gelu, heedi_vk_scale;
extern const struct vk_operator heedi_vk_embedding, heedi_vk_positions;
extern const struct vk_operator heedi_vk_concat, heedi_vk_copy, heedi_vk_cast;
extern const struct vk_operator heedi_vk_argmax, heedi_vk_top_k;
extern const struct vk_operator heedi_vk_cache_append, heedi_vk_gather_rows;
extern const struct vk_operator heedi_vk_advance;

/* ---- guards.c ---- */
enum { VK_GUARD_BYTES = 256 }; /* after every storage, with guards */
bool heedi_vk_wants_guards(void);

/* ---- plugin.c ---- */
/* The status of a Vulkan result, with `what` was being done in the message. */
enum heed_status heedi_vk_result(struct heed_error *error, VkResult result, const char *what);

/* ---- memory.c ---- */
/* A stretch of at least `bytes`, aligned for every use. Any thread. */
enum heed_status heedi_vk_allocate(struct heed_plugin *plugin, enum vk_memory_kind kind,
                                   uint64_t bytes, struct vk_region *region,
                                   struct heed_error *error);
/* An empty region is allowed. */
void heedi_vk_release(struct heed_plugin *plugin, struct vk_region *region);
void heedi_vk_memory_destroy(struct heed_plugin *plugin);

/* ---- wait.c ---- */
/* Waits for a fence, VK_MOST_WAIT_NS at most. Any thread. */
VkResult heedi_vk_await(struct heed_plugin *plugin, VkFence fence, uint64_t timeout_ns);
/* Whether the device has been waited for in vain as long as that. */
bool heedi_vk_hangs(const struct heed_plugin *plugin);

/* ---- transfer.c ---- */
/* Copies between host memory and a region, outside of runs. What is written is there for all that
 * is submitted later. */
enum heed_status heedi_vk_upload(struct heed_plugin *plugin, const struct vk_region *region,
                                 uint64_t offset, const void *data, uint64_t bytes,
                                 struct heed_error *error);
enum heed_status heedi_vk_download(struct heed_plugin *plugin, const struct vk_region *region,
                                   uint64_t offset, void *data, uint64_t bytes,
                                   struct heed_error *error);
enum heed_status heedi_vk_clear(struct heed_plugin *plugin, const struct vk_region *region,
                                struct heed_error *error);
/* Waits for what is on its way, so that its memory may go. */
void heedi_vk_transfers_finish(struct heed_plugin *plugin);
void heedi_vk_ring_destroy(struct heed_plugin *plugin);

/* ---- pipeline.c ---- */
/* The pipeline of a shader with specialization constants, made on demand; owned by the plugin. */
enum heed_status heedi_vk_pipeline(struct heed_plugin *plugin, enum vk_shader shader,
                                   const uint32_t constants[HEED_MAX_CONSTANTS],
                                   VkPipeline *pipeline, struct heed_error *error);
void heedi_vk_pipelines_destroy(struct heed_plugin *plugin);

/* ---- stats.c ---- */
/* Whether what compilers make of shaders is to be written down. */
bool heedi_vk_stats_wanted(void);
void heedi_vk_stats_write(const struct heed_plugin *plugin, const struct vk_pipeline *pipeline);

/* ---- cache.c ---- */
/* Makes plugin->pipeline_cache, from what the disk has of an earlier one. */
void heedi_vk_cache_open(struct heed_plugin *plugin);
/* Writes it to the disk if it has grown. Failures are no errors: the next start takes longer. */
void heedi_vk_cache_save(struct heed_plugin *plugin);
/* Where something is kept for a device and its driver: a file whose name ends in `suffix`. False:
 * nowhere. */
enum { VK_PATH_BYTES = 1024 };
bool heedi_vk_cache_path(const struct vk_device *device, const char *suffix,
                         char path[VK_PATH_BYTES]);

/* ---- submission.c ---- */
/* What a submission costs a device, from the disk; 0: nobody has measured it. */
uint64_t heedi_vk_submission_read(const struct vk_device *device);
/* Finds plugin->submission_ns; measures and keeps it where the disk has none. */
void heedi_vk_submission_open(struct heed_plugin *plugin);

/* ---- os_posix.c ---- */
/* The user's folder for caches of heed, made if it is missing. False: there is none. */
bool heedi_vk_cache_folder(char *path, size_t bytes);
/* Nanoseconds that the processor has given to this thread. */
uint64_t heedi_vk_thread_ns(void);
/* Nanoseconds of a clock that never goes back. */
uint64_t heedi_vk_now_ns(void);
/* A number that no other process has. */
long heedi_vk_process(void);

/* ---- weight.c ---- */
/* A constant on the device. Owned by the host, shared by programs. */
struct vk_weight {
    struct heed_plugin *plugin;
    struct vk_region region;
    /* of tables (table.c), which programs share; the plugin's mutex of pipelines guards these */
    struct vk_weight *next;
    uint64_t bytes, key;
    uint32_t references;
};
/* Brings the constant of a storage to the device, if it is one and not there yet. */
enum heed_status heedi_vk_constant(struct heed_plugin_program *program, int32_t storage,
                                   struct heed_error *error);
/* Adds a storage in which the constants of `tensors`, all from storages of weights, lie side by
 * side, at multiples of 16 bytes: offsets[i] is where the storage of tensor i begins, in bytes.
 * Absent tensors are left out. They come to the device with the first dispatch that binds it, and
 * are shared by all programs that pack the same. */
enum heed_status heedi_vk_pack(struct heed_plugin_program *program,
                               const struct vk_tensor *const *tensors, uint32_t count,
                               int32_t *storage, uint64_t *offsets, struct heed_error *error);
/* A constant as it would be if its elements followed one another in the order of its dimensions.
 * False: it cannot come to the device so. */
bool heedi_vk_may_lay_out(const struct vk_tensor *tensor, struct vk_tensor *laid_out);
/* Turns a tensor for which that may be done into such a constant, in a storage of its own. */
enum heed_status heedi_vk_lay_out(struct heed_plugin_program *program, struct vk_tensor *tensor,
                                  struct heed_error *error);
/* A constant that the plugin has made itself, owned by the caller. */
enum heed_status heedi_vk_weight_create(struct heed_plugin *plugin, const void *data,
                                        uint64_t bytes, struct vk_weight **weight,
                                        struct heed_error *error);
/* NULL is allowed. */
void heedi_vk_weight_destroy(struct vk_weight *weight);

/* ---- program.c ---- */
enum heed_status heedi_vk_query(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                struct heed_claim *claims, size_t stride, struct heed_error *error);
enum heed_status heedi_vk_compile(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                  struct heed_plugin_program **program, struct heed_error *error);
void heedi_vk_program_destroy(struct heed_plugin_program *program);

/* Adds a storage to the program; *index is its number. */
enum heed_status heedi_vk_add_storage(struct heed_plugin_program *program,
                                      const struct vk_storage *storage, int32_t *index,
                                      struct heed_error *error);
/* Of a storage in the memory of an instance, that it fits every binding. */
uint64_t heedi_vk_alignment(const struct heed_plugin *plugin);
/* Takes room in the memory of an instance, aligned so. */
int64_t heedi_vk_reserve(struct heed_plugin_program *program, uint64_t bytes);
/* For operators: a table of the plugin's own making, which all programs share that know it by the
 * same key. heedi_vk_table uploads `bytes` > 0 of data and adds a storage for them;
 * heedi_vk_find_table adds one for a table that is there, or none and then *storage is -1. */
enum heed_status heedi_vk_find_table(struct heed_plugin_program *program, uint64_t key,
                                     int32_t *storage, struct heed_error *error);
enum heed_status heedi_vk_table(struct heed_plugin_program *program, uint64_t key, const void *data,
                                uint64_t bytes, int32_t *storage, struct heed_error *error);
/* Gives a program's reference back. NULL is allowed. */
void heedi_vk_table_release(struct heed_plugin *plugin, struct vk_weight *table);

/* For operators: a storage of at least `bytes`, for dispatches of one node; those of another may
 * write over it. */
enum heed_status heedi_vk_scratch(struct heed_plugin_program *program, uint64_t bytes,
                                  int32_t *storage, struct heed_error *error);

/* heedi_vk_compile for a test of forms, which are given as bits. */
enum heed_status heedi_vk_compile_as(struct heed_plugin *plugin,
                                     const struct heed_subgraph *subgraph, uint32_t granted_forms,
                                     struct heed_plugin_program **program,
                                     struct heed_error *error);

/* ---- dispatch.c: for operators ---- */
/* Adds a dispatch of `shader` for node `node`. constants[HEED_CONSTANT_WIDTH] is the width of its
 * workgroup. Bindings name storages; those that are not used are VK_STORAGE_NONE. groups may exceed
 * the device's limit along x only: then it is cut into rows of y, and the shader finds the number
 * of its workgroup by WORKGROUP (common/workgroup.glsl). */
struct vk_request {
    enum vk_shader shader;
    uint32_t constants[HEED_MAX_CONSTANTS];
    struct vk_binding bindings[HEED_MAX_BINDINGS];
    uint64_t groups;
    const void *push;
    uint32_t push_bytes;
};
enum heed_status heedi_vk_dispatch(struct heed_plugin_program *program, uint32_t node,
                                   const struct vk_request *request, struct heed_error *error);
struct vk_binding heedi_vk_reads(const struct vk_tensor *tensor);
struct vk_binding heedi_vk_writes(const struct vk_tensor *tensor);
/* Dims, and strides of what broadcasts to them (0 where a dimension is 1), as four numbers with
 * leading ones. */
void heedi_vk_dims4(const struct heed_tensor_desc *y, uint32_t dims[4]);
void heedi_vk_strides4(const struct heed_tensor_desc *x, uint32_t strides[4]);
/* Rows of a tensor: the product of all dimensions but the last. */
int64_t heedi_vk_rows(const struct heed_tensor_desc *desc);
/* How a shader finds the rows of x: the dimensions before the last and their strides, as numbers
 * for offset_of (common/workgroup.glsl), and the stride of the elements of a row. */
void heedi_vk_row_strides(const struct heed_tensor_desc *x, uint32_t dims[4], uint32_t strides[4],
                          uint32_t *stride);
/* The same, sizes and offsets, of a kernel with one operand x and one result y. */
struct heed_row_params heedi_vk_row_params(const struct vk_tensor *x, const struct vk_tensor *y);
bool heedi_vk_is_float(const struct vk_tensor *tensor);
/* Whether it lies in memory that an instance owns, where a shader can see it without a binding of
 * its own. */
bool heedi_vk_is_owned(const struct vk_tensor *tensor);
/* Whether to choose as suits a device in software; one that is made to look small chooses as a
 * phone does. */
bool heedi_vk_suits_software(const struct heed_plugin *plugin);
/* The width of a workgroup for loops over elements: a power of two, at most HEED_MAX_WIDTH. */
uint32_t heedi_vk_width(const struct heed_plugin *plugin);
/* The same for a workgroup that has one row of n elements. */
uint32_t heedi_vk_row_width(const struct heed_plugin *plugin, uint32_t n);

/* ---- matmul.c ---- */
enum { VK_MATMUL_A = 0, VK_MATMUL_B = 1, VK_MATMUL_BIAS = 2, VK_MATMUL_SCALE = 3 };

/* How a product, all columns at once, is cut into workgroups, each with a tile of so many
 * rows and columns: its shader, constants and groups, and parameters for operands in bindings of
 * their own. Columns of tiles count first. */
struct vk_product {
    struct heed_matmul_params params;
    struct vk_request request; /* without bindings and push constants */
    uint32_t rows, columns;
};
/* For `count` products of the same a, of which `node` is the first: b and biases of all follow one
 * another, and so do the results. False: it is another product, or an empty one. */
bool heedi_vk_plan_products(const struct vk_node *node, uint32_t count, struct vk_product *product);
/* Binds a of a product that was planned so, for a dispatch of node `dispatched`. With quantised
 * rows the shader may become another form of it, and what packs rows is added before it. */
enum heed_status heedi_vk_begin_product(struct heed_plugin_program *program, uint32_t node,
                                        uint32_t dispatched, struct vk_product *product,
                                        struct heed_error *error);
/* Binds its bias, and beside this the scales of columns where the shader looks for them there. */
enum heed_status heedi_vk_bind_bias(struct heed_plugin_program *program, uint32_t node,
                                    struct vk_product *product, struct heed_error *error);

/* ---- embedding.c ---- */
/* Adds a dispatch that reads, for each id in input 0 of the node, a row of a contiguous f32 table
 * [rows, n] into output 0; zeros for an id outside. */
enum heed_status heedi_vk_look_up(struct heed_plugin_program *program, uint32_t node,
                                  struct vk_binding table, uint32_t rows, uint32_t n,
                                  struct heed_error *error);

/* ---- matmul.c ---- */
/* Fills in how a product is cut: in tiles, or in columns of few rows; groups, and the constants
 * from HEED_MATMUL_TX or HEED_MATMUL_ROWS on. */
void heedi_vk_matmul_tiles(const struct vk_node *node, const struct heed_matmul_params *params,
                           struct vk_request *request);
void heedi_vk_matmul_columns(const struct vk_node *node, const struct heed_matmul_params *params,
                             struct vk_request *request);
/* Goes on to the columns that come next, as many as a storage buffer shows of b: sets what params
 * say of them, and the binding. False: there are none. */
bool heedi_vk_matmul_next(const struct vk_node *node, struct heed_matmul_params *params,
                          struct vk_binding *b);

/* ---- coop.c ---- */
/* Finds plugin->matrix. */
void heedi_vk_coop_open(struct heed_plugin *plugin);
/* Whether cooperative matrices make the product: of f16, or of what may be rounded to it. */
bool heedi_vk_coop_takes(const struct heed_plugin_program *program, const struct vk_node *node,
                         const struct heed_matmul_params *params);
/* Has cooperative matrices make the product, if they can and may, in place of what was requested.
 */
void heedi_vk_matmul_coop(const struct heed_plugin_program *program, const struct vk_node *node,
                          const struct heed_matmul_params *params, struct vk_request *request);

/* ---- matmul_quantized.c ---- */
/* NULL where a product with HEED_QUANTIZE_ROWS can be run, else why not. */
const char *heedi_vk_matmul_quantized_accept(const struct vk_node *node);
/* Shader, constants and groups of such a product of all columns that params have. */
void heedi_vk_plan_quantized(const struct vk_node *node, const struct heed_matmul_params *params,
                             struct vk_request *request);
/* Of a request that was planned so: takes the form of its shader that suits the device, and binds
 * a; adds before it, for node `dispatched`, a dispatch that packs rows, if it does not itself. */
enum heed_status heedi_vk_begin_quantized(struct heed_plugin_program *program, uint32_t node,
                                          uint32_t dispatched, struct heed_matmul_params *params,
                                          struct vk_request *request, struct heed_error *error);
enum heed_status heedi_vk_bind_quantized_bias(struct heed_plugin_program *program, uint32_t node,
                                              struct heed_matmul_params *params,
                                              struct vk_request *request, struct heed_error *error);
enum heed_status heedi_vk_matmul_quantized(struct heed_plugin_program *program, uint32_t node,
                                           const struct heed_matmul_params *params,
                                           struct heed_error *error);

/* What shaders are told of a node's operands, each in a binding of its own. */
struct heed_embedding_params heedi_vk_embedding_params(const struct vk_node *node);

/* ---- positions.c ---- */
/* The table of a node of positions, [max_len, width] in f32; none where it is empty. */
enum heed_status heedi_vk_positions_table(struct heed_plugin_program *program, uint32_t index,
                                          struct vk_binding *table, struct heed_error *error);

/* ---- copy.c ---- */
/* Adds a dispatch that writes x, of any strides, into y from its element `y_start` on, with y's
 * strides; elements of less than a word: into a contiguous y from its start. */
enum heed_status heedi_vk_move(struct heed_plugin_program *program, uint32_t node,
                               const struct vk_tensor *x, const struct vk_tensor *y,
                               int64_t y_start, struct heed_error *error);

#endif
