/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Running graphs: thread pools, executors (an ordered list of backends), programs, instances,
 * states.
 *
 * An executor opens backends. heed_executor_compile() partitions a frozen graph among them (each
 * node goes to the first backend in the list that claims it; composite operators that nobody claims
 * are lowered and offered again), plans memory, and compiles each part. A program is immutable; an
 * instance of it owns the memory for running it, many times.
 *
 * Thread rule: pools, executors and programs may be shared by threads. An instance and a state
 * belong to one thread at a time. */
#ifndef HEED_EXECUTOR_H
#define HEED_EXECUTOR_H

#include <stdio.h>

#include "heed/backend.h"
#include "heed/graph.h"
#include "heed/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Thread pool ---- */

struct heed_pool;

/** The embedder's own parallel loop; same contract as heed_host.parallel_for. */
typedef void (*heed_parallel_for_fn)(void *user, int64_t count, int64_t grain, heed_range_fn fn,
                                     void *arg);

struct heed_pool_options {
    uint32_t struct_size;
    /** Threads including the caller; 0: the processors that affinity and cgroup quota allow. With
     * `parallel_for` given: the number it uses. */
    uint32_t threads;
    heed_parallel_for_fn parallel_for; /**< NULL: Heed's own threads */
    void *user;
};

/** Creates a pool; threads start at the first parallel work. `options` may be NULL. The caller owns
 * one reference. */
HEED_API enum heed_status heed_pool_create(struct heed_context *context,
                                           const struct heed_pool_options *options,
                                           struct heed_pool **pool);
/** Adds a reference; returns the pool. */
HEED_API struct heed_pool *heed_pool_retain(struct heed_pool *pool);
/** Drops a reference; the last one joins the threads. NULL is allowed. */
HEED_API void heed_pool_release(struct heed_pool *pool);
/** Threads that work on a loop, the caller counted; >= 1. */
HEED_API uint32_t heed_pool_threads(const struct heed_pool *pool);
/** See heed_host.parallel_for. A call made while another thread uses the pool, or from inside a
 * loop, runs inline. */
HEED_API void heed_pool_parallel_for(struct heed_pool *pool, int64_t count, int64_t grain,
                                     heed_range_fn fn, void *arg);

/* ---- Executor ---- */

struct heed_executor;

struct heed_executor_options {
    uint32_t struct_size;
    /** Ordered list, "vulkan:1,avx2?,scalar". An entry is a name, name:device, or a path to a
     * plugin file (contains '/'), each with options for the plugin in parentheses where it knows
     * any, "openblas(claim=all)"; nothing but what is named is opened. With '?' at its end an entry
     * may be missing, and it is opened, as is what follows it, only when the backends before it
     * leave a node to nobody. "auto" stands for every installed backend: those with a discrete GPU
     * first, then with an integrated one, then the CPU's in the order of their own preference;
     * software devices are left out. "scalar?" is appended unless the list ends with "only".
     * NULL: the environment's HEED_BACKEND, else the list that the library was built with, the
     * CPU's backends from the fastest on, each with '?'. */
    const char *backends;
    /** Folders to search first, separated by ':' (';' on Windows); NULL: HEED_PLUGIN_PATH. */
    const char *plugin_path;
    struct heed_pool *pool; /**< retained; NULL: a pool with default options */
    uint32_t max_programs;  /**< bound of heed_executor_cached_program's cache; 0: 32 */
};

/** Opens the backends. Broken, older, newer or foreign plugin files are reported in one log line
 * each (warning) and skipped; fails with HEED_ERROR_NOT_FOUND when a named backend cannot be opened
 * and nothing else is left. The caller owns one reference. */
HEED_API enum heed_status heed_executor_create(struct heed_context *context,
                                               const struct heed_executor_options *options,
                                               struct heed_executor **executor);
/** Adds a reference; returns the executor. NULL is allowed, here and below. */
HEED_API struct heed_executor *heed_executor_retain(struct heed_executor *executor);
/** Drops a reference; programs made with the executor keep what they need of it. */
HEED_API void heed_executor_release(struct heed_executor *executor);

/** Registers a backend by its entry function (an embedder's own, or one linked in statically) for
 * every executor created afterwards in this process. `name` must match the table's name and live
 * for ever. It goes before a plugin file of that name; a later registration under the name replaces
 * it. Any thread. */
HEED_API enum heed_status heed_backend_register(struct heed_context *context, const char *name,
                                                heed_backend_entry_fn entry);

/** A device of a backend that can be used here. */
struct heed_device {
    uint32_t struct_size;
    uint32_t index; /**< of the device within its backend */
    char backend[32];
    char version[32];
    char path[512]; /**< of the plugin file; "" when linked in */
    struct heed_device_info info;
    const char *report; /**< further lines "name: text", each ended by a newline; "": none */
};

/** Called once per device; `reason` is non-NULL for a plugin or backend without a usable device
 * (then only `backend` and `path` of the device are meaningful). Pointers are valid during the
 * call. */
typedef void (*heed_device_fn)(void *user, const struct heed_device *device, const char *reason);

/** Enumerates all devices of all plugins that are found: linked in, then in the folders of
 * `plugin_path` (see heed_executor_options). One that cannot be used is no error: `fn` is told why.
 */
HEED_API enum heed_status heed_devices(struct heed_context *context, const char *plugin_path,
                                       heed_device_fn fn, void *user);

/* ---- Tuning ---- */

typedef void (*heed_tune_fn)(void *user, const struct heed_tune_kernel *kernel);
/** Calls `fn` for each kernel of the executor's first backend whose shape can be chosen; a backend
 * that offers none is no error. Pointers are valid while the executor lives. */
HEED_API enum heed_status heed_executor_tunable(struct heed_context *context,
                                                struct heed_executor *executor, heed_tune_fn fn,
                                                void *user);
/** Keeps choices, "name=choice,name=choice", for the device of the executor's first backend; ""
 * forgets those that were kept. HEED_ERROR_UNSUPPORTED where it cannot be tuned. */
HEED_API enum heed_status heed_executor_tune_save(struct heed_context *context,
                                                  struct heed_executor *executor,
                                                  const char *choices);

/* ---- Programs ---- */

struct heed_program;
struct heed_instance;
struct heed_state;

/** Compiles a frozen graph. The program keeps the graph and the executor alive. The caller owns one
 * reference. HEED_ERROR_UNSUPPORTED names the first node that no backend can run, and why. */
HEED_API enum heed_status heed_program_compile(struct heed_context *context,
                                               struct heed_executor *executor,
                                               struct heed_graph *graph,
                                               struct heed_program **program);
/** Adds a reference; returns the program. NULL is allowed, here and below. */
HEED_API struct heed_program *heed_program_retain(struct heed_program *program);
/** Drops a reference; instances keep one of their own. */
HEED_API void heed_program_release(struct heed_program *program);

/** Builds the graph of a shape bucket; called without locks held. */
typedef enum heed_status (*heed_graph_build_fn)(void *user, struct heed_context *context,
                                                struct heed_graph **graph);
/** The program of a shape bucket, from the executor's bounded cache (least recently used goes
 * first; programs in use stay alive), or built and compiled. `key` names the bucket and must be
 * unique in the executor ("<model id>/decoder/r4/c64"). The caller owns one reference to *program.
 */
HEED_API enum heed_status heed_executor_cached_program(struct heed_context *context,
                                                       struct heed_executor *executor,
                                                       const char *key, heed_graph_build_fn build,
                                                       void *user, struct heed_program **program);
/** Drops cached programs whose key starts with `prefix` (when a model is closed). */
HEED_API void heed_executor_forget(struct heed_executor *executor, const char *prefix);

/** Memory of a program and of what it shares, in bytes. */
struct heed_memory {
    uint32_t struct_size;
    uint32_t parts;          /**< sub-graphs */
    uint64_t arena_bytes;    /**< peak of planned activations of one instance */
    uint64_t unshared_bytes; /**< what the same activations would take without reuse */
    uint64_t boundary_bytes; /**< inputs, outputs, tensors between parts */
    uint64_t prepared_bytes; /**< packed weights of the whole executor */
};
HEED_API enum heed_status heed_program_memory(const struct heed_program *program,
                                              struct heed_memory *memory);

/** What one node became: which backend runs it, or "view"; called in execution order. */
struct heed_placement {
    uint32_t struct_size;
    uint32_t part;
    const char *node;    /**< name of the node */
    const char *op;      /**< name of the operator */
    const char *backend; /**< "scalar" */
    const char
        *reason;  /**< why the backends before it in the list declined; "" if it is the first */
    double flops; /**< of one run */
    double bytes; /**< read and written by one run */
};
typedef void (*heed_placement_fn)(void *user, const struct heed_placement *placement);
HEED_API void heed_program_placements(const struct heed_program *program, heed_placement_fn fn,
                                      void *user);

/* ---- Instances ---- */

/** Makes an instance, its memory allocated once. It keeps the program alive. */
HEED_API enum heed_status heed_instance_create(struct heed_context *context,
                                               struct heed_program *program,
                                               struct heed_instance **instance);
/** No run may be in progress. NULL is allowed. */
HEED_API void heed_instance_destroy(struct heed_instance *instance);

/** Memory of an input, contiguous, 64-byte aligned, owned by the instance, to be filled before a
 * run. NULL for an unknown name. `bytes` may be NULL. */
HEED_API void *heed_instance_input(struct heed_instance *instance, const char *name, size_t *bytes);
/** Memory of an output, valid until the next run. NULL for an unknown name. */
HEED_API const void *heed_instance_output(struct heed_instance *instance, const char *name,
                                          size_t *bytes);
/** Binds a state by name. The instance keeps no reference: the state must outlive its runs. */
HEED_API enum heed_status heed_instance_bind_state(struct heed_context *context,
                                                   struct heed_instance *instance, const char *name,
                                                   struct heed_state *state);
/** Runs once and waits. No memory is allocated. */
HEED_API enum heed_status heed_instance_run(struct heed_context *context,
                                            struct heed_instance *instance);

/** An output that the next step reads as an input; both of the same size. */
struct heed_carry {
    const char *output;
    const char *input;
};

/** A run of several steps, each fed by the one before it: a scan. */
struct heed_steps_options {
    uint32_t struct_size;
    uint32_t most;                    /**< steps of a run, at least 1 */
    const struct heed_carry *carries; /**< each input once */
    uint32_t carry_count;
    const char *const *stacked; /**< outputs that are wanted of every step, each once */
    uint32_t stacked_count;
};

/** Prepares an instance for heed_instance_run_steps(), its memory allocated once; nothing of
 * `options` is kept. Where one device runs the whole program and knows how, a run of several steps
 * is one piece of work for it, else the host passes on what is carried. Done once. */
HEED_API enum heed_status heed_instance_set_steps(struct heed_context *context,
                                                  struct heed_instance *instance,
                                                  const struct heed_steps_options *options);
/** Runs `count` steps (1 to `most`) and waits: before every step but the first, each input named in
 * a carry receives the output named in it. Afterwards the stacked outputs can be read by
 * heed_instance_output_at(), others not; inputs that are carried must be filled anew. No memory is
 * allocated. */
HEED_API enum heed_status heed_instance_run_steps(struct heed_context *context,
                                                  struct heed_instance *instance, uint32_t count);
/** A stacked output of step `step`, valid until the next run; that of the step after it follows
 * `bytes` further on. NULL for an output that is not stacked or a step that is too many. `bytes`
 * may be NULL. */
HEED_API const void *heed_instance_output_at(struct heed_instance *instance, const char *name,
                                             uint32_t step, size_t *bytes);

/** Makes a state for the state tensor `name` of a program, on the device of the part that uses it,
 * zero-filled. It may be bound in every program in which the tensor of that name has the same type
 * and dims and lies on the same device. Keeps the executor alive. */
HEED_API enum heed_status heed_state_create(struct heed_context *context,
                                            struct heed_program *program, const char *name,
                                            struct heed_state **state);
/** After all runs of instances that it is bound to. NULL is allowed. */
HEED_API void heed_state_destroy(struct heed_state *state);
/** Copies bytes in or out; [offset, offset + bytes) must lie inside. */
HEED_API enum heed_status heed_state_write(struct heed_context *context, struct heed_state *state,
                                           size_t offset_bytes, const void *data, size_t bytes);
HEED_API enum heed_status heed_state_read(struct heed_context *context, struct heed_state *state,
                                          size_t offset_bytes, void *data, size_t bytes);
/** Description of a state. */
HEED_API void heed_state_desc(const struct heed_state *state, struct heed_tensor_desc *desc);

/* ---- Profile ---- */

/** Collects what ran where and when, over many runs and instances. One thread at a time. */
struct heed_profile;
/** An empty profile; the caller owns it. */
HEED_API enum heed_status heed_profile_create(struct heed_context *context,
                                              struct heed_profile **profile);
/** After it was detached. NULL is allowed. */
HEED_API void heed_profile_destroy(struct heed_profile *profile);
/** Attaches a profile to an instance (NULL detaches); it must outlive the instance's runs. */
HEED_API void heed_instance_set_profile(struct heed_instance *instance,
                                        struct heed_profile *profile);
/** Writes Chrome trace event JSON (load it in chrome://tracing or Perfetto), with the counters of
 * heed_profile_counters() in otherData. `path` is written to a temporary name and renamed. */
HEED_API enum heed_status heed_profile_write(struct heed_context *context,
                                             const struct heed_profile *profile, const char *path);
/** One line per operator and backend: runs, time, share; to `stream`. */
HEED_API void heed_profile_summary(const struct heed_profile *profile, FILE *stream);

/** A program that ran while the profile was attached, and how often. With
 * heed_program_placements() this gives the arithmetic and the bytes of everything that ran. */
typedef void (*heed_profile_program_fn)(void *user, const struct heed_program *program,
                                        uint64_t runs);
HEED_API void heed_profile_programs(const struct heed_profile *profile, heed_profile_program_fn fn,
                                    void *user);

/** What the summary shows: `op` is "" for whole parts of a backend that does not tell more. A group
 * of fused nodes counts for the one with the most arithmetic. Strings are valid while the profile
 * lives. */
typedef void (*heed_profile_total_fn)(void *user, const char *backend, const char *op,
                                      uint64_t runs, uint64_t ns);
HEED_API void heed_profile_totals(const struct heed_profile *profile, heed_profile_total_fn fn,
                                  void *user);

/** What runs cost besides the work itself, as the backend counts it (HEED_EXTENSION_COUNTERS in
 * heed/backend.h), with `host_allocations`, what the plugin takes of the host's memory. Each count
 * is of all runs of the graphs of one name on one backend: either of the first runs after an
 * instance was made or bound to a state (`replayed` is 0), or of those that followed them. Other
 * threads' work on the device may be in it. */
struct heed_profile_counter {
    uint32_t struct_size;
    uint32_t replayed;
    const char *backend;
    const char *graph;
    const char *name;
    uint64_t steps; /**< of these runs */
    uint64_t value;
};
typedef void (*heed_profile_counter_fn)(void *user, const struct heed_profile_counter *counter);
HEED_API void heed_profile_counters(const struct heed_profile *profile, heed_profile_counter_fn fn,
                                    void *user);

#ifdef __cplusplus
}
#endif
#endif
