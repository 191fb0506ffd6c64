/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of kernels that need more than Vulkan 1.1. Each is tested on the device before it is used
 * for the first time (selftest.c), as some drivers offer what they do not do. */
#ifndef HEEDI_VULKAN_FORMS_H
#define HEEDI_VULKAN_FORMS_H

#include <stdbool.h>

#include "heed/backend.h"

enum vk_form { VK_FORM_DOT, VK_FORM_COOP, VK_FORM_SUBGROUP, VK_FORM_COUNT };
enum vk_proof { VK_UNTRIED = 0, VK_PROVEN, VK_SET_ASIDE };

struct heed_plugin;
struct heed_plugin_program;

/* For build, where a program would have a form: whether the device does what that needs, in the
 * features that it offers and in fact. */
bool heedi_vk_proven(const struct heed_plugin_program *program, enum vk_form form);

/* For tests of forms. A node to run with a form; inputs without data are absent. */
struct vk_trial {
    enum heed_op op;
    const void *attrs;
    uint32_t attrs_size, input_count;
    struct {
        struct heed_tensor_desc desc;
        void *data;
    } in[HEED_MAX_INPUTS], out;
};
enum heed_status heedi_vk_try(struct heed_plugin *plugin, enum vk_form form,
                              const struct vk_trial *trial, struct heed_error *error);
/* Whether all are equal. */
enum heed_status heedi_vk_agree(struct heed_plugin *plugin, float *found, const float *expected,
                                int64_t count, struct heed_error *error);

/* ---- selftest_rows.c ---- */
/* Sums, greatest values and first indices of rows, by subgroups. */
enum heed_status heedi_vk_try_subgroups(struct heed_plugin *plugin, enum vk_form form,
                                        struct heed_error *error);

#endif
