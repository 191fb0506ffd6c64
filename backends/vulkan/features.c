/* SPDX-License-Identifier: Apache-2.0 */
/* What a device has beyond Vulkan 1.1, and switching on what shaders use of it.
 *
 * A feature is there when the extension is and its feature bit says so; newer versions of Vulkan
 * contain some of these, but we ask for 1.1, where they are extensions. */
#include <string.h>

#include "vulkan.h"

#ifndef VK_KHR_cooperative_matrix /* headers before 1.3.255 */
#define VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME "VK_KHR_cooperative_matrix"
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR                          \
    ((VkStructureType)1000506000)
typedef struct VkPhysicalDeviceCooperativeMatrixFeaturesKHR {
    VkStructureType sType;
    void *pNext;
    VkBool32 cooperativeMatrix;
    VkBool32 cooperativeMatrixRobustBufferAccess;
} VkPhysicalDeviceCooperativeMatrixFeaturesKHR;
#endif

static const char *const names[VK_EXTENSION_COUNT] = {
    [VK_EXTENSION_DRIVER] = VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME,
    [VK_EXTENSION_SUBGROUP_CONTROL] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME,
    [VK_EXTENSION_STORAGE8] = VK_KHR_8BIT_STORAGE_EXTENSION_NAME,
    [VK_EXTENSION_FLOAT16_INT8] = VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME,
    [VK_EXTENSION_DOT] = VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME,
    [VK_EXTENSION_MEMORY_MODEL] = VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME,
    [VK_EXTENSION_COOP_KHR] = VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME,
    [VK_EXTENSION_COOP_NV] = VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME,
    [VK_EXTENSION_TIMELINE] = VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME,
    [VK_EXTENSION_STATISTICS] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME,
    [VK_EXTENSION_BUDGET] = VK_EXT_MEMORY_BUDGET_EXTENSION_NAME,
};

/* The extensions among `names` that the device has, as bits. */
static uint32_t find_extensions(VkPhysicalDevice physical) {
    enum { MOST = 512 }; /* those of the largest drivers are some 250 */
    static VkExtensionProperties known[MOST];
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards `known` */
    uint32_t count = MOST, found = 0;
    pthread_mutex_lock(&mutex);
    if (vkEnumerateDeviceExtensionProperties(physical, NULL, &count, known) < VK_SUCCESS)
        count = 0;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < VK_EXTENSION_COUNT; j++)
            if (strcmp(known[i].extensionName, names[j]) == 0)
                found |= 1u << j;
    pthread_mutex_unlock(&mutex);
    return found;
}

bool heedi_vk_has(const struct vk_device *device, enum vk_extension extension) {
    return (device->extensions & 1u << extension) != 0;
}

/* ---- the structures of features ---- */

struct features {
    VkPhysicalDeviceFeatures2 all;
    VkPhysicalDevice16BitStorageFeatures storage16;
    VkPhysicalDevice8BitStorageFeatures storage8;
    VkPhysicalDeviceShaderFloat16Int8Features float16_int8;
    VkPhysicalDeviceSubgroupSizeControlFeatures subgroup;
    VkPhysicalDeviceShaderIntegerDotProductFeatures dot;
    VkPhysicalDeviceVulkanMemoryModelFeatures memory_model;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR coop_khr;
    VkPhysicalDeviceCooperativeMatrixFeaturesNV coop_nv;
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline;
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR statistics;
};

static void link_structure(void **chain, VkStructureType *type, void **next, VkStructureType is) {
    *type = is;
    *next = *chain;
    *chain = type; /* the first member: where the structure begins */
}

/* Puts the structures of the extensions given, as bits, in a chain behind chain->all. */
static void make_chain(struct features *chain, uint32_t extensions) {
    memset(chain, 0, sizeof *chain);
    chain->all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
#define LINK(extension, member, type)                                                              \
    if ((extensions & 1u << (extension)) != 0)                                                     \
    link_structure(&chain->all.pNext, &chain->member.sType, &chain->member.pNext,                  \
                   VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_##type)
    LINK(VK_EXTENSION_STORAGE8, storage8, 8BIT_STORAGE_FEATURES);
    LINK(VK_EXTENSION_FLOAT16_INT8, float16_int8, SHADER_FLOAT16_INT8_FEATURES);
    LINK(VK_EXTENSION_SUBGROUP_CONTROL, subgroup, SUBGROUP_SIZE_CONTROL_FEATURES);
    LINK(VK_EXTENSION_DOT, dot, SHADER_INTEGER_DOT_PRODUCT_FEATURES);
    LINK(VK_EXTENSION_MEMORY_MODEL, memory_model, VULKAN_MEMORY_MODEL_FEATURES);
    LINK(VK_EXTENSION_COOP_KHR, coop_khr, COOPERATIVE_MATRIX_FEATURES_KHR);
    LINK(VK_EXTENSION_COOP_NV, coop_nv, COOPERATIVE_MATRIX_FEATURES_NV);
    LINK(VK_EXTENSION_TIMELINE, timeline, TIMELINE_SEMAPHORE_FEATURES);
    LINK(VK_EXTENSION_STATISTICS, statistics, PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR);
#undef LINK
    link_structure(&chain->all.pNext, &chain->storage16.sType, &chain->storage16.pNext,
                   VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES);
}

/* ---- reading ---- */

static void read_subgroups(struct vk_device *device, bool control) {
    const VkSubgroupFeatureFlags wanted =
        VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
    VkPhysicalDeviceSubgroupSizeControlProperties sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
    VkPhysicalDeviceSubgroupProperties subgroup = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES,
        .pNext = control ? &sizes : NULL};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &subgroup};
    vkGetPhysicalDeviceProperties2(device->physical, &all);
    device->features.subgroup_arithmetic =
        (subgroup.supportedOperations & wanted) == wanted &&
        (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0;
    device->features.subgroup_control =
        control && (sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0;
    device->limits.subgroup = device->features.subgroup_arithmetic ? subgroup.subgroupSize : 0;
    device->limits.subgroup_min = control ? sizes.minSubgroupSize : subgroup.subgroupSize;
    device->limits.subgroup_max = control ? sizes.maxSubgroupSize : subgroup.subgroupSize;
}

/* Whether sums of four products of signed bytes are quicker than one by one. */
static bool is_dot_accelerated(const struct vk_device *device) {
    VkPhysicalDeviceShaderIntegerDotProductProperties dot = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &dot};
    vkGetPhysicalDeviceProperties2(device->physical, &all);
    return dot.integerDotProduct4x8BitPackedSignedAccelerated == VK_TRUE;
}

void heedi_vk_features_read(struct vk_device *device) {
    struct features has;
    struct vk_features *features = &device->features;
    device->extensions = find_extensions(device->physical);
    make_chain(&has, device->extensions);
    vkGetPhysicalDeviceFeatures2(device->physical, &has.all);
    read_subgroups(device, has.subgroup.subgroupSizeControl && has.subgroup.computeFullSubgroups);
    features->storage16 = has.storage16.storageBuffer16BitAccess;
    features->storage8 = has.storage8.storageBuffer8BitAccess;
    features->float16 = has.float16_int8.shaderFloat16;
    features->int8 = has.float16_int8.shaderInt8;
    features->dot = has.dot.shaderIntegerDotProduct;
    features->dot_accelerated = features->dot && is_dot_accelerated(device);
    features->memory_model = has.memory_model.vulkanMemoryModel;
    features->coop_khr = has.coop_khr.cooperativeMatrix;
    features->coop_nv = has.coop_nv.cooperativeMatrix;
    features->timeline = has.timeline.timelineSemaphore;
    features->statistics = has.statistics.pipelineExecutableInfo;
}

void heedi_vk_features_settle(struct vk_features *features) {
    const bool halves = features->float16 && features->storage16;
    features->coop_khr = features->coop_khr && halves && features->memory_model;
    features->coop_nv = features->coop_nv && halves && !features->coop_khr; /* one is enough */
}

/* ---- opening ---- */

VkResult heedi_vk_features_open(const struct vk_device *device, bool statistics,
                                VkDeviceCreateInfo *info, VkDevice *handle) {
    const struct vk_features *has = &device->features;
    const bool coop = has->coop_khr || has->coop_nv;
    const uint32_t used =
        (has->subgroup_control ? 1u << VK_EXTENSION_SUBGROUP_CONTROL : 0) |
        (has->dot_accelerated ? 1u << VK_EXTENSION_DOT : 0) |
        (coop ? 1u << VK_EXTENSION_FLOAT16_INT8 : 0) |
        (has->coop_khr ? 1u << VK_EXTENSION_COOP_KHR | 1u << VK_EXTENSION_MEMORY_MODEL : 0) |
        (has->coop_nv ? 1u << VK_EXTENSION_COOP_NV : 0) |
        (statistics ? 1u << VK_EXTENSION_STATISTICS : 0);
    const char *enabled[VK_EXTENSION_COUNT];
    struct features on;
    make_chain(&on, used);
    on.subgroup.subgroupSizeControl = has->subgroup_control;
    on.subgroup.computeFullSubgroups = has->subgroup_control;
    on.dot.shaderIntegerDotProduct = has->dot_accelerated;
    on.float16_int8.shaderFloat16 = coop;
    on.storage16.storageBuffer16BitAccess = coop;
    on.memory_model.vulkanMemoryModel = has->coop_khr;
    on.coop_khr.cooperativeMatrix = has->coop_khr;
    on.coop_nv.cooperativeMatrix = has->coop_nv;
    on.statistics.pipelineExecutableInfo = statistics;
    info->enabledExtensionCount = 0;
    for (uint32_t i = 0; i < VK_EXTENSION_COUNT; i++)
        if ((used & 1u << i) != 0)
            enabled[info->enabledExtensionCount++] = names[i];
    info->ppEnabledExtensionNames = enabled;
    info->pNext = &on.all;
    const VkResult result = vkCreateDevice(device->physical, info, NULL, handle);
    info->pNext = NULL;
    info->ppEnabledExtensionNames = NULL;
    return result;
}
