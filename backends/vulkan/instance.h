/* SPDX-License-Identifier: Apache-2.0 */
/* What runs a program: instances with their recordings and profiles, and states. */
#ifndef HEEDI_VULKAN_INSTANCE_H
#define HEEDI_VULKAN_INSTANCE_H

#include "vulkan.h"

/* ---- record.c ---- */
/* Cuts the dispatches of a program into batches that no driver's watchdog ends, and says how many
 * steps it leaves in peace. */
void heedi_vk_cut(struct heed_plugin_program *program);
/* Makes `commands` wait until what `from` stages wrote can be touched by `to` stages. */
void heedi_vk_barrier(const struct heed_plugin *plugin, VkCommandBuffer commands,
                      VkPipelineStageFlags from, VkPipelineStageFlags to);
/* Writes the descriptors and records the commands of an instance whose states are bound. */
enum heed_status heedi_vk_record(struct heed_plugin_instance *instance, struct heed_error *error);

/* ---- steps.c: several steps in one submission ---- */

/* An output that is kept of every step. */
struct vk_stacked {
    uint32_t binding;
    void *host;      /* [most][bytes] */
    uint64_t offset; /* of the same in the history */
};

struct vk_steps {
    uint32_t most, carry_count, stacked_count;
    struct heed_plugin_carry *carries;
    struct vk_stacked *stacked;
    struct vk_region history; /* of what is stacked; mapped */
    VkCommandBuffer *after;   /* [most]: what is copied after each step */
};
extern const struct heed_steps_extension heedi_vk_steps;
/* Records what is copied after each step. */
VkResult heedi_vk_steps_record(const struct heed_plugin_instance *instance);
/* After a run: brings what is stacked to the host. */
void heedi_vk_steps_read(const struct heed_plugin_instance *instance);
void heedi_vk_steps_destroy(struct heed_plugin_instance *instance);

/* ---- counters.c ---- */

/* What runs of an instance have cost so far. */
struct vk_counts {
    uint64_t submissions, dispatches, recorded_commands, written_descriptors, host_ns;
};
enum { VK_COUNTERS = 6 };
extern const struct heed_counters_extension heedi_vk_counters;
/* The thread's time, where it is wanted; then adds what it has used since. */
uint64_t heedi_vk_clock(const struct heed_plugin_instance *instance);
void heedi_vk_count_time(struct heed_plugin_instance *instance, uint64_t begin_ns);

/* ---- instance.c ---- */

/* The command buffers of an instance: copies of inputs from the staging region and of outputs to
 * it, what lets the host see results, and the batches of dispatches. */
enum { VK_COMMANDS_IN, VK_COMMANDS_OUT, VK_COMMANDS_END, VK_COMMANDS_BODY };

struct heed_plugin_instance {
    struct heed_plugin_program *program;
    struct vk_region memory;
    struct vk_region staging;          /* empty where `memory` is mapped */
    void **host;                       /* per boundary: bound memory of the host */
    struct heed_plugin_state **states; /* per boundary */
    uint64_t *state_ids;               /* of what was recorded */
    VkCommandPool pool;
    VkCommandBuffer *commands; /* VK_COMMANDS_BODY and one for each batch */
    VkCommandBuffer *list;     /* what is submitted, in order; room for the longest run */
    VkSubmitInfo *submits;
    VkDescriptorPool descriptors;
    VkDescriptorSet *sets; /* per dispatch */
    VkFence fence;
    struct vk_steps *steps; /* NULL: one at a time */
    bool recorded, running;
    uint32_t running_steps; /* of the run that was begun last; 0: a single one */
    struct vk_counts counts;
    struct heed_counter counters[VK_COUNTERS]; /* the same, as the host reads them */
    bool timed;                                /* host_ns is counted */
    /* Profile: timestamps of dispatches, and what they say of nodes. */
    bool profiled;
    VkQueryPool queries;
    struct vk_region stamps; /* of all steps of a run; mapped */
    uint64_t *times;
    struct heed_profile_entry *entries;
    uint32_t entry_count;
    unsigned char *image, *found; /* guards: `memory` before any run, and after one; else NULL */
};
enum heed_status heedi_vk_instance_new(struct heed_plugin_program *program,
                                       struct heed_plugin_instance **instance,
                                       struct heed_error *error);
void heedi_vk_instance_destroy(struct heed_plugin_instance *instance);
enum heed_status heedi_vk_bind(struct heed_plugin_instance *instance, uint32_t binding,
                               void *memory, struct heed_error *error);
enum heed_status heedi_vk_bind_state(struct heed_plugin_instance *instance, uint32_t binding,
                                     struct heed_plugin_state *state, struct heed_error *error);
/* Begins a single step (`steps` is 0), or so many by instance->steps. */
enum heed_status heedi_vk_begin(struct heed_plugin_instance *instance, uint32_t steps,
                                struct heed_error *error);
enum heed_status heedi_vk_submit(struct heed_plugin_instance *instance, struct heed_error *error);
/* Room for what runs of up to `steps` steps submit; false when out of memory. */
bool heedi_vk_make_list(struct heed_plugin_instance *instance, uint32_t steps);
enum heed_status heedi_vk_wait(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                               struct heed_error *error);

/* ---- profile.c ---- */
const void *heedi_vk_get_extension(const char *name);
/* While a command buffer is recorded: before the first dispatch, and after each (index: from 1 on).
 */
void heedi_vk_profile_begin(const struct heed_plugin_instance *instance, VkCommandBuffer commands);
void heedi_vk_profile_mark(const struct heed_plugin_instance *instance, VkCommandBuffer commands,
                           uint32_t index);
/* After step `step` of several: keeps its timestamps. */
void heedi_vk_profile_keep(const struct heed_plugin_instance *instance, VkCommandBuffer commands,
                           uint32_t step);
/* Makes room for the timestamps of more steps. */
void heedi_vk_profile_grow(struct heed_plugin_instance *instance);
/* After a run. */
void heedi_vk_profile_read(struct heed_plugin_instance *instance);
void heedi_vk_profile_destroy(struct heed_plugin_instance *instance);

/* ---- guards.c ---- */
struct heed_plugin_state;
/* Each does nothing unless guards are wanted. */
enum heed_status heedi_vk_guards_make(struct heed_plugin_instance *instance,
                                      struct heed_error *error);
enum heed_status heedi_vk_guards_add(struct heed_plugin_state *state, struct heed_error *error);
/* After a run. */
enum heed_status heedi_vk_guards_check(const struct heed_plugin_instance *instance,
                                       struct heed_error *error);
void heedi_vk_guards_destroy(struct heed_plugin_instance *instance);

/* ---- state.c ---- */
struct heed_plugin_state {
    struct heed_plugin *plugin;
    uint64_t id; /* that no other state of the plugin has, nor had */
    uint64_t bytes;
    struct heed_tensor_desc desc;
    struct vk_region region;
};
enum heed_status heedi_vk_state_create(struct heed_plugin *plugin,
                                       const struct heed_tensor_desc *desc,
                                       struct heed_plugin_state **state, struct heed_error *error);
void heedi_vk_state_destroy(struct heed_plugin_state *state);
enum heed_status heedi_vk_state_write(struct heed_plugin_state *state, size_t offset_bytes,
                                      const void *data, size_t bytes, struct heed_error *error);
enum heed_status heedi_vk_state_read(struct heed_plugin_state *state, size_t offset_bytes,
                                     void *data, size_t bytes, struct heed_error *error);

#endif
