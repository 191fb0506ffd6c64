/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of nodes that are run by fewer dispatches than they have nodes, and what recognises and
 * builds them. */
#ifndef HEEDI_VULKAN_FUSE_H
#define HEEDI_VULKAN_FUSE_H

#include "ranges.h"

/* ---- fuse.c ---- */
struct vk_fusion {
    const char *name;
    /* How many nodes, from `first` on, the fusion takes; 0: it does not fit. */
    uint32_t (*match)(const struct heed_plugin_program *program, uint32_t first);
    bool makes_rooms; /* build calls heedi_vk_make_room for every result of the group */
    /* Adds the dispatches of these nodes, all for the last of them. */
    enum heed_status (*build)(struct heed_plugin_program *program, uint32_t first, uint32_t count,
                              struct heed_error *error);
};
extern const struct vk_fusion heedi_vk_fuse_attention_step, heedi_vk_fuse_attention_cross;
extern const struct vk_fusion heedi_vk_fuse_products, heedi_vk_fuse_norm, heedi_vk_fuse_choice;
extern const struct vk_fusion heedi_vk_fuse_embedding;
/* Builds the nodes from `first` on that belong together, and says in *count how many these were. */
enum heed_status heedi_vk_build(struct heed_plugin_program *program, uint32_t first,
                                uint32_t *count, struct heed_error *error);
/* For match: whether only nodes first .. last touch the tensor, so that it need not exist. */
bool heedi_vk_is_inner(const struct heed_plugin_program *program, const struct vk_tensor *tensor,
                       uint32_t first, uint32_t last);
bool heedi_vk_is_constant(const struct vk_tensor *tensor);
/* Whether both are absent, or begin at the same place. */
bool heedi_vk_is_same(const struct vk_tensor *a, const struct vk_tensor *b);
/* Where a tensor begins, in its elements, in a storage that heedi_vk_pack has made, in which its
 * own begins at `bytes`; 0 for one that is absent. */
uint32_t heedi_vk_offset_in_pack(const struct vk_tensor *tensor, uint64_t bytes);
/* False for one that is absent. */
bool heedi_vk_has_dims(const struct vk_tensor *tensor, uint32_t rank, const int64_t *dims);
/* For build: gives what the storages of tensors hold, results of the group from `first` on, memory
 * of their own, one after the other, with `tail_bytes` behind, which are zero before the first run
 * and which every group must leave zero, as others use the room when it is free: that of an output
 * never is. To be called before any dispatch is made that touches the storages. */
enum heed_status heedi_vk_make_room(struct heed_plugin_program *program,
                                    const struct vk_tensor *const *tensors, uint32_t count,
                                    uint32_t first, uint32_t tail_bytes, struct heed_error *error);
/* Zeroes the tails of rooms in the memory of an instance. */
enum heed_status heedi_vk_clear_rooms(const struct heed_plugin_program *program,
                                      const struct vk_region *memory, struct heed_error *error);

/* ---- fuse_products.c ---- */
/* How many nodes from `first` on, at most `most`, are products y = x W^T + b of the same f32 x with
 * weights and biases of the same shapes and types, all rows of which begin on boundaries of 16
 * bytes; 0: they would not lie in one storage buffer. Weights are floats or, where rows of x are
 * quantised, i8 or q8_0, with a k of whole segments. */
uint32_t heedi_vk_products(const struct heed_plugin_program *program, uint32_t first,
                           uint32_t most);
/* Where the weights of such nodes lie, one after the other, and behind them their biases and their
 * scales, whose offsets count elements of these. */
struct vk_packed {
    int32_t storage;
    uint32_t bias_offset, scale_offset;
};
enum heed_status heedi_vk_pack_products(struct heed_plugin_program *program, uint32_t first,
                                        uint32_t count, struct vk_packed *packed,
                                        struct heed_error *error);

#endif
