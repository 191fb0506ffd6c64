/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of workgroups: those that can be chosen, and what kernels derive from them. */
#ifndef HEEDI_VULKAN_TUNE_H
#define HEEDI_VULKAN_TUNE_H

#include "vulkan.h"

/* ---- tune.c ---- */
/* What was found best for the device, if the disk has it, then what `options` say. */
enum heed_status heedi_vk_tuning_open(struct heed_plugin *plugin, const char *options,
                                      struct heed_error *error);
extern const struct heed_tune_extension heedi_vk_tune;
/* What choice `index` < HEED_TUNE_CHOICES of tiles (tx, ty, tm, tn) or of few rows (lanes, columns)
 * is; NULL: the device cannot run it. */
enum vk_choice_of { VK_CHOICE_TILE, VK_CHOICE_SKINNY };
const uint32_t *heedi_vk_choice(const struct heed_plugin *plugin, enum vk_choice_of of,
                                uint32_t index);

/* ---- variants.c ---- */
/* Compiles every shader in every shape if the environment asks for it. */
enum heed_status heedi_vk_variants(struct heed_plugin *plugin, struct heed_error *error);

/* ---- attention.c ---- */
/* The widest workgroup of attention.comp with a ROOM. */
uint32_t heedi_vk_attention_most(uint32_t room);

/* ---- fuse_choice.c ---- */
/* Sets lanes and columns of matmul_skinny_choice.comp. */
void heedi_vk_choice_shape(uint32_t *constants);

/* ---- fuse_attention.c ---- */
/* The constants of a decoder's step, HEED_STEP_TYPES left out, for heads of width d and `rows`
 * rows, of k numbers that are quantised (0: they are not); false: there is no room for so many. */
bool heedi_vk_step_shape(const struct heed_plugin *plugin, bool appends, uint32_t d, uint32_t k,
                         uint32_t rows, uint32_t *constants);

#endif
