/* SPDX-License-Identifier: Apache-2.0 */
/* Executors and programs from the inside. */
#ifndef HEEDI_EXEC_EXECUTOR_H
#define HEEDI_EXEC_EXECUTOR_H

#include "runtime/exec/engine.h"
#include "runtime/exec/partition.h"
#include "runtime/ops/op.h"

/* ---- cache.c: a bounded map from keys to programs; any thread ---- */

struct heedi_cache;
enum heed_status heedi_cache_create(struct heed_context *context, uint32_t capacity,
                                    struct heedi_cache **cache);
void heedi_cache_destroy(struct heedi_cache *cache);

struct heed_executor {
    struct heedi_env env;
    struct heedi_refcount references;
    struct heedi_engine *engine;
    struct heedi_cache *cache;
};

/* ---- program.c ---- */

/* A part as compiled by its device. */
struct heedi_compiled {
    struct heedi_device *device;
    struct heed_plugin_program *program;
    struct heedi_binding *bindings;
    uint32_t binding_count;
    uint32_t node_count;
    uint32_t *nodes; /* of the program's graph */
    struct heedi_plan plan;
};

/* A storage that the executor keeps in host memory: an input, an output, or what crosses from part
 * to part. */
struct heedi_boundary {
    heed_tensor tensor; /* owner of the storage */
    size_t bytes;
    size_t offset; /* in the block of an instance, a multiple of 64 */
};

/* A tensor that the caller fills or reads, by name. */
struct heedi_port {
    const char *name;
    bool output;
    size_t offset; /* in the block of an instance */
    size_t bytes;
};

/* A state tensor of the graph. */
struct heedi_state_slot {
    const char *name;
    heed_tensor tensor;
    struct heedi_device *device; /* the first one where no node touches the state */
};

struct heed_program {
    struct heedi_env env;
    struct heedi_refcount references;
    struct heedi_engine *engine;
    bool weights_known;
    struct heedi_partition partition; /* its graph, its parts; names live there */
    struct heedi_arena arena;
    struct heedi_compiled *parts;
    uint32_t part_count;
    struct heedi_boundary *boundaries;
    uint32_t boundary_count;
    size_t boundary_bytes;
    struct heedi_port *ports;
    uint32_t port_count;
    struct heedi_state_slot *states;
    uint32_t state_count;
};

/* The boundary of a storage; every storage that a part is bound to has one. NULL for others. */
const struct heedi_boundary *heedi_program_boundary(const struct heed_program *program,
                                                    heed_tensor tensor);
/* Of node `index` of the program's graph; 0 for views. */
struct heedi_cost heedi_program_cost(const struct heed_program *program, uint32_t index);
/* NULL for an unknown name. */
const struct heedi_state_slot *heedi_program_state(const struct heed_program *program,
                                                   const char *name);

/* Whether `state` lies on the device on which the program uses the state of that name. */
bool heedi_program_takes(const struct heed_program *program, const char *name,
                         const struct heed_state *state);
/* True unless a device that it runs on was set aside. */
bool heedi_program_usable(const struct heed_program *program);

/* True if one GPU runs all of it. */
bool heedi_program_on_gpu(const struct heed_program *program);
/* What a submission costs the one device that runs all of it, as the device says; 0: it does not.
 */
uint64_t heedi_program_submission_ns(const struct heed_program *program);

/* ---- instance.c ---- */
/* Has the parts of an instance use other memory for an input or an output than the instance's own:
 * as many bytes, aligned to 64, from now on until it is destroyed. heed_instance_input() and
 * heed_instance_output() go on telling of the instance's own. */
enum heed_status heedi_instance_place(struct heed_context *context, struct heed_instance *instance,
                                      const char *name, void *memory);

/* ---- executor.c ---- */
/* How many devices of the executor were set aside by now: see heedi_device_failed. */
uint32_t heedi_executor_aside(struct heed_executor *executor);

/* ---- instance.c ---- */

struct heedi_steps;

/* Looks at what parts do: called by the thread that runs an instance. */
struct heedi_observer {
    /* Before a part runs `steps` steps, 0: one that may be part of a run by the host. What it
     * returns is given to `after`; NULL: it need not be called. */
    void *(*before)(struct heedi_observer *observer, struct heed_instance *instance, uint32_t part,
                    uint32_t steps);
    /* `ran`: the run has succeeded and its results are there. */
    void (*after)(struct heedi_observer *observer, void *ticket, struct heed_instance *instance,
                  bool ran);
};

struct heed_instance {
    struct heedi_env env;
    struct heed_program *program;        /* a reference */
    unsigned char *block;                /* boundary tensors, aligned to 64 bytes */
    struct heed_plugin_instance **parts; /* one per part of the program */
    struct heed_state **bound;           /* one per state of the program, NULL: not bound yet */
    struct heedi_observer *observer;     /* NULL: none */
    struct heed_profile *profile;
    struct heedi_steps *steps; /* NULL: one at a time */
    bool replays;              /* has run since it was bound to its states and profile */
};

/* An input or output by name; NULL for an unknown one. */
const struct heedi_port *heedi_instance_port(const struct heed_instance *instance, const char *name,
                                             bool output);
/* Says that `what` of a part has failed, and draws the consequences for its device. */
enum heed_status heedi_instance_failed(struct heed_context *context, enum heed_status status,
                                       const struct heed_program *program, uint32_t part,
                                       const char *what, const struct heed_error *error);
/* HEED_OK once all states are bound. */
enum heed_status heedi_instance_ready(struct heed_context *context,
                                      const struct heed_instance *instance);
/* Submits one step, or with `count` > 0 as many by the device itself, and waits. */
enum heed_status heedi_instance_run_part(struct heed_context *context,
                                         struct heed_instance *instance, uint32_t index,
                                         uint32_t count);

/* ---- steps.c ---- */
void heedi_steps_destroy(const struct heedi_env *env, struct heedi_steps *steps);

/* ---- state.c ---- */

struct heed_state {
    struct heedi_env env;
    struct heedi_engine *engine; /* a reference */
    struct heedi_device *device;
    struct heed_tensor_desc desc;
    struct heed_plugin_state *state;
};

/* ---- counters.c: what profiles count ---- */

enum { HEEDI_MAX_COUNTERS = 16 };

/* What the plugin has counted for an instance, and the host for the plugin. */
struct heedi_counts {
    uint32_t count;
    const char *names[HEEDI_MAX_COUNTERS];
    uint64_t values[HEEDI_MAX_COUNTERS];
};
void heedi_counts_read(struct heedi_counts *counts, const struct heedi_device *device,
                       struct heed_plugin_instance *instance);

/* Sums of the runs of graphs of one name on one device. */
struct heedi_count_row {
    const struct heedi_device *device;
    const struct heed_program *program; /* the first of them; its graph has the name */
    bool replayed;
    uint64_t steps;
    struct heedi_counts sums;
};
struct heedi_count_table {
    struct heedi_count_row *rows;
    size_t count, capacity;
};
/* Adds what was counted between two readings; what there is no memory for is left out. `program`
 * outlives the table. */
void heedi_count_table_add(struct heedi_count_table *table, const struct heedi_env *env,
                           const struct heedi_count_row *run, const struct heedi_counts *before);
void heedi_count_table_each(const struct heedi_count_table *table, heed_profile_counter_fn fn,
                            void *user);
void heedi_count_table_write(const struct heedi_count_table *table, FILE *stream);

/* ---- profile.c ---- */

/* What a part of a program did in `steps` steps between begin and end. */
struct heedi_profiled_run {
    struct heed_program *program;
    uint32_t part;
    uint32_t steps;
    bool replayed;
    uint64_t begin_ns, end_ns;
    struct heedi_counts before; /* the run */
};

/* Records a run; asks the plugin for its entries and counters. */
void heedi_profile_record(struct heed_profile *profile, struct heed_plugin_instance *instance,
                          const struct heedi_profiled_run *run);

#endif
