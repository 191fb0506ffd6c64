/* SPDX-License-Identifier: Apache-2.0 */
/* What one binding shows: several tensors of an instance, or pieces of a large constant. */
#ifndef HEEDI_VULKAN_RANGES_H
#define HEEDI_VULKAN_RANGES_H

#include "vulkan.h"

/* ---- share.c ---- */
/* A binding that shows tensors from memory that the instance owns. False: they lie too far apart
 * for a storage buffer of the device. */
bool heedi_vk_span(const struct heed_plugin_program *program,
                   const struct vk_tensor *const *tensors, uint32_t count,
                   struct vk_binding *binding);
/* Number of a tensor's first element when those that the binding shows are counted; UINT32_MAX
 * where it is absent. */
uint32_t heedi_vk_place(const struct heed_plugin_program *program, const struct vk_binding *binding,
                        const struct vk_tensor *tensor);

/* Tensors of a node that one binding shows; those that it writes come last. */
enum { VK_MAX_SHARED = 8 };
struct vk_shared {
    struct vk_tensor *tensors[VK_MAX_SHARED];
    uint32_t count, read_count;
    /* by heedi_vk_share: */
    struct vk_binding binding;
    bool together;                         /* they lay too far apart, */
    struct vk_tensor apart[VK_MAX_SHARED]; /* here */
};
/* Finds the binding for tensors in memory that the instance owns. If need be they become copies, so
 * they must be copies of a node's own. */
enum heed_status heedi_vk_share(struct heed_plugin_program *program, uint32_t node,
                                struct vk_shared *shared, struct heed_error *error);
/* When they have been written: results go where they belong. */
enum heed_status heedi_vk_part(struct heed_plugin_program *program, uint32_t node,
                               const struct vk_shared *shared, struct heed_error *error);

/* ---- ranges.c ---- */
/* Lines of a constant: `elems` elements from the first to the last of a line, strides between. */
struct vk_lines {
    uint64_t total_bytes; /* of all that the constant has */
    uint64_t elem_bytes, offset, stride, elems, count;
};
/* How many lines one binding shows; 0: not even one. */
uint64_t heedi_vk_lines_shown(const struct heed_plugin *plugin, const struct vk_lines *lines);
/* Has the binding of the constant show some lines. Returns where line 0 begins, counted in elements
 * from what is shown, modulo 2^32. */
uint32_t heedi_vk_show_lines(const struct heed_plugin *plugin, const struct vk_lines *lines,
                             uint64_t first, uint64_t count, struct vk_binding *binding);
/* Whether one storage buffer would show all constants of a group of nodes. */
bool heedi_vk_constants_fit(const struct heed_plugin_program *program, uint32_t first,
                            uint32_t count);
/* When all dispatches have been made: no binding is larger than a storage buffer. */
enum heed_status heedi_vk_check_ranges(const struct heed_plugin_program *program,
                                       struct heed_error *error);

#endif
