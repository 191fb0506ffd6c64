/* SPDX-License-Identifier: Apache-2.0 */
/* Products of halves by cooperative matrices, which a subgroup has together: what shapes a device
 * has, and which products are made so. */
#include "vulkan.h"

enum { A = 0, B = 1, BIAS = 2 };

#ifndef VK_KHR_cooperative_matrix /* headers before 1.3.255 */
#define VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR ((VkStructureType)1000506001)
typedef enum VkComponentTypeKHR {
    VK_COMPONENT_TYPE_FLOAT16_KHR = 0,
    VK_COMPONENT_TYPE_FLOAT32_KHR = 1
} VkComponentTypeKHR;
typedef enum VkScopeKHR { VK_SCOPE_SUBGROUP_KHR = 3 } VkScopeKHR;
typedef struct VkCooperativeMatrixPropertiesKHR {
    VkStructureType sType;
    void *pNext;
    uint32_t MSize, NSize, KSize;
    VkComponentTypeKHR AType, BType, CType, ResultType;
    VkBool32 saturatingAccumulation;
    VkScopeKHR scope;
} VkCooperativeMatrixPropertiesKHR;
typedef VkResult(VKAPI_PTR *PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)(
    VkPhysicalDevice device, uint32_t *count, VkCooperativeMatrixPropertiesKHR *properties);
#endif

/* Most shapes that are looked at. */
enum { MOST = 64 };

/* The largest matrices that shared memory is laid out for. */
enum { LARGEST = 16 };

/* Takes the shape if it fits and is larger than the one before. */
static void consider(struct vk_matrix *best, uint32_t m, uint32_t n, uint32_t k) {
    const bool fits = m <= LARGEST && n <= LARGEST && k <= LARGEST && m % 4 == 0 && n % 4 == 0 &&
                      k % 8 == 0 && m > 0 && n > 0 && k > 0;
    if (fits && m * n * k > best->m * best->n * best->k)
        *best = (struct vk_matrix){.m = m, .n = n, .k = k};
}

static struct vk_matrix read_khr(const struct heed_plugin *plugin) {
    struct vk_matrix best = {.m = 0};
    VkCooperativeMatrixPropertiesKHR found[MOST] = {{.pNext = NULL}};
    uint32_t count = MOST;
    const PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR read =
        (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)vkGetInstanceProcAddr(
            plugin->instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    for (uint32_t i = 0; i < MOST; i++)
        found[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
    if (read == NULL || read(plugin->device.physical, &count, found) < VK_SUCCESS)
        return best;
    for (uint32_t i = 0; i < count; i++)
        if (found[i].AType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
            found[i].BType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
            found[i].CType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
            found[i].ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
            found[i].scope == VK_SCOPE_SUBGROUP_KHR)
            consider(&best, found[i].MSize, found[i].NSize, found[i].KSize);
    return best;
}

static struct vk_matrix read_nv(const struct heed_plugin *plugin) {
    struct vk_matrix best = {.m = 0};
    VkCooperativeMatrixPropertiesNV found[MOST] = {{.pNext = NULL}};
    uint32_t count = MOST;
    const PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesNV read =
        (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesNV)vkGetInstanceProcAddr(
            plugin->instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesNV");
    for (uint32_t i = 0; i < MOST; i++)
        found[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_NV;
    if (read == NULL || read(plugin->device.physical, &count, found) < VK_SUCCESS)
        return best;
    for (uint32_t i = 0; i < count; i++)
        if (found[i].AType == VK_COMPONENT_TYPE_FLOAT16_NV &&
            found[i].BType == VK_COMPONENT_TYPE_FLOAT16_NV &&
            found[i].CType == VK_COMPONENT_TYPE_FLOAT32_NV &&
            found[i].DType == VK_COMPONENT_TYPE_FLOAT32_NV &&
            found[i].scope == VK_SCOPE_SUBGROUP_NV)
            consider(&best, found[i].MSize, found[i].NSize, found[i].KSize);
    return best;
}

static enum vk_shader shader_of(const struct heed_plugin *plugin) {
    return plugin->device.features.coop_khr ? VK_SHADER_MATMUL_COOP_KHR : VK_SHADER_MATMUL_COOP_NV;
}

void heedi_vk_coop_open(struct heed_plugin *plugin) {
    const struct vk_device *device = &plugin->device;
    const struct vk_features *features = &device->features;
    if ((!features->coop_khr && !features->coop_nv) || device->limits.subgroup == 0 ||
        !heedi_vk_is_built(shader_of(plugin)))
        return;
    plugin->matrix = features->coop_khr ? read_khr(plugin) : read_nv(plugin);
    if (device->limits.subgroup > device->limits.workgroup)
        plugin->matrix.m = 0;
}

/* Subgroups of a workgroup: several only where it is certain which invocations are in which. */
static uint32_t subgroups_of(const struct vk_device *device) {
    return device->features.subgroup_control &&
                   4 * device->limits.subgroup <= device->limits.workgroup
               ? 4
               : 1;
}

bool heedi_vk_coop_takes(const struct heed_plugin_program *program, const struct vk_node *node,
                         const struct heed_matmul_params *params) {
    const enum heed_dtype a = node->in[A].desc.dtype, b = node->in[B].desc.dtype;
    return b == HEED_F16 && (a == HEED_F16 || program->plugin->rounds_to_f16) &&
           params->m > LARGEST && program->plugin->matrix.m > 0 &&
           heedi_vk_proven(program, VK_FORM_COOP);
}

void heedi_vk_matmul_coop(const struct heed_plugin_program *program, const struct vk_node *node,
                          const struct heed_matmul_params *params, struct vk_request *request) {
    const struct heed_plugin *plugin = program->plugin;
    const enum heed_dtype a = node->in[A].desc.dtype, b = node->in[B].desc.dtype;
    const struct vk_tensor *bias = &node->in[BIAS];
    if (!heedi_vk_coop_takes(program, node, params))
        return;
    const struct vk_matrix *matrix = &plugin->matrix;
    const uint32_t subgroups = subgroups_of(&plugin->device), along = subgroups == 4 ? 2 : 1;
    const uint32_t rows = along * HEED_COOP_TILES * matrix->m;
    const uint32_t columns = along * HEED_COOP_TILES * matrix->n;
    request->shader = shader_of(plugin);
    request->groups = (uint64_t)params->batches * ((params->m + rows - 1) / rows) *
                      ((params->columns + columns - 1) / columns);
    for (uint32_t i = 0; i < HEED_MAX_CONSTANTS; i++)
        request->constants[i] = 0;
    request->constants[HEED_CONSTANT_WIDTH] = subgroups * plugin->device.limits.subgroup;
    request->constants[HEED_MATMUL_TYPES] =
        (uint32_t)a + 16 * (uint32_t)b +
        256 * (heedi_vk_present(bias) ? (uint32_t)bias->desc.dtype : 0);
    request->constants[HEED_MATMUL_ACTIVATION] = node->attrs.matmul.activation;
    request->constants[HEED_COOP_M] = matrix->m;
    request->constants[HEED_COOP_N] = matrix->n;
    request->constants[HEED_COOP_K] = matrix->k;
    request->constants[HEED_COOP_SUBGROUPS] = subgroups;
}
