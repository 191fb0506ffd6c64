/* SPDX-License-Identifier: Apache-2.0 */
/* A Vulkan driver whose devices can be looked at but not opened, for tests of how devices are found
 * and described. FAKE_DEVICES="kind:driver,..." lists them in that order:
 *
 *     card   a graphics card with every feature
 *     phone  the least that Vulkan 1.1 promises
 *     cpu    a device in software
 *     old    Vulkan 1.0
 *     idle   no queue that computes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vulkan/vk_icd.h>
#include <vulkan/vulkan.h>

enum { MOST = 8 };

/* Drivers begin their handles with a word of the loader's. */
struct device {
    VK_LOADER_DATA loader;
    char kind[16], driver[16];
};
static VK_LOADER_DATA instance_handle;
static struct device devices[MOST];
static uint32_t device_count;

static int is(VkPhysicalDevice handle, const char *kind) {
    return strcmp(((const struct device *)(const void *)handle)->kind, kind) == 0;
}

static void read_devices(void) {
    const char *at = getenv("FAKE_DEVICES");
    device_count = 0;
    while (at != NULL && *at != '\0' && device_count < MOST) {
        struct device *device = &devices[device_count];
        memset(device, 0, sizeof *device);
        if (sscanf(at, "%15[a-z]:%15[a-z]", device->kind, device->driver) < 1)
            return;
        set_loader_magic_value(device);
        device_count++;
        at = strchr(at, ',');
        at = at != NULL ? at + 1 : NULL;
    }
}

static VkResult create_instance(const VkInstanceCreateInfo *info,
                                const VkAllocationCallbacks *allocator, VkInstance *instance) {
    (void)info, (void)allocator;
    set_loader_magic_value(&instance_handle);
    read_devices();
    *instance = (VkInstance)(void *)&instance_handle;
    return VK_SUCCESS;
}

static void destroy_instance(VkInstance instance, const VkAllocationCallbacks *allocator) {
    (void)instance, (void)allocator;
}

static VkResult no_extensions(const char *layer, uint32_t *count, VkExtensionProperties *list) {
    (void)layer, (void)list;
    *count = 0;
    return VK_SUCCESS;
}

static VkResult list_devices(VkInstance instance, uint32_t *count, VkPhysicalDevice *list) {
    (void)instance;
    if (list == NULL) {
        *count = device_count;
        return VK_SUCCESS;
    }
    const uint32_t room = *count;
    *count = room < device_count ? room : device_count;
    for (uint32_t i = 0; i < *count; i++)
        list[i] = (VkPhysicalDevice)(void *)&devices[i];
    return room < device_count ? VK_INCOMPLETE : VK_SUCCESS;
}

/* ---- what a device says of itself ---- */

static VkResult list_extensions(VkPhysicalDevice device, const char *layer, uint32_t *count,
                                VkExtensionProperties *list) {
    static const char *const names[] = {
        VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME,
        VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME,
        VK_KHR_8BIT_STORAGE_EXTENSION_NAME,
        VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME,
        VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME,
        VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME,
        "VK_KHR_cooperative_matrix",
        VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME,
        VK_EXT_MEMORY_BUDGET_EXTENSION_NAME,
    };
    /* all devices but the card have the first alone */
    const uint32_t all = is(device, "card") ? sizeof names / sizeof names[0] : 1;
    (void)layer;
    if (list == NULL) {
        *count = all;
        return VK_SUCCESS;
    }
    const uint32_t room = *count;
    *count = room < all ? room : all;
    for (uint32_t i = 0; i < *count; i++)
        (void)snprintf(list[i].extensionName, sizeof list[i].extensionName, "%s", names[i]);
    return room < all ? VK_INCOMPLETE : VK_SUCCESS;
}

static void get_properties(VkPhysicalDevice device, VkPhysicalDeviceProperties *properties) {
    const struct device *it = (const struct device *)(const void *)device;
    VkPhysicalDeviceLimits *limits = &properties->limits;
    const int card = is(device, "card");
    memset(properties, 0, sizeof *properties);
    properties->apiVersion = is(device, "old") ? VK_API_VERSION_1_0 : VK_API_VERSION_1_1;
    properties->vendorID = card ? 0x1002 : 0x13b5;
    properties->deviceType = card                ? VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU
                             : is(device, "cpu") ? VK_PHYSICAL_DEVICE_TYPE_CPU
                                                 : VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
    (void)snprintf(properties->deviceName, sizeof properties->deviceName, "Fake %s", it->kind);
    limits->maxComputeWorkGroupInvocations = card ? 1024 : 128;
    limits->maxComputeWorkGroupSize[0] = limits->maxComputeWorkGroupInvocations;
    limits->maxComputeWorkGroupCount[0] = limits->maxComputeWorkGroupCount[1] = 65535;
    limits->maxComputeSharedMemorySize = card ? 65536 : 16384;
    limits->maxPerStageDescriptorStorageBuffers = card ? 64 : 4;
    limits->minStorageBufferOffsetAlignment = card ? 16 : 256;
    limits->maxStorageBufferRange = 1u << 27;
}

/* Sets the members from `first` on, to the end of a structure of `bytes`, to true. */
static void set_all(void *structure, size_t first, size_t bytes) {
    const VkBool32 yes = VK_TRUE;
    for (size_t at = first; at + sizeof yes <= bytes; at += sizeof yes)
        memcpy((char *)structure + at, &yes, sizeof yes);
}
#define SET_ALL(structure, type, first) set_all(structure, offsetof(type, first), sizeof(type))

static void get_properties2(VkPhysicalDevice device, VkPhysicalDeviceProperties2 *properties) {
    const struct device *it = (const struct device *)(const void *)device;
    get_properties(device, &properties->properties);
    for (VkBaseOutStructure *at = properties->pNext; at != NULL; at = at->pNext) {
        void *structure = at;
        switch (at->sType) {
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES: {
            VkPhysicalDeviceIDProperties *identity = structure;
            memset(identity->deviceUUID, is(device, "card") ? 0xca : 0x0f, VK_UUID_SIZE);
            break;
        }
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES: {
            VkPhysicalDeviceDriverProperties *driver = structure;
            (void)snprintf(driver->driverName, sizeof driver->driverName, "%s", it->driver);
            break;
        }
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES: {
            VkPhysicalDeviceMaintenance3Properties *maintenance = structure;
            maintenance->maxMemoryAllocationSize = (VkDeviceSize)1 << 30;
            break;
        }
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES: {
            VkPhysicalDeviceSubgroupProperties *subgroup = structure;
            subgroup->subgroupSize = is(device, "card") ? 64 : 16;
            subgroup->supportedStages = VK_SHADER_STAGE_COMPUTE_BIT;
            subgroup->supportedOperations = VK_SUBGROUP_FEATURE_BASIC_BIT;
            if (is(device, "card"))
                subgroup->supportedOperations |= VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
            break;
        }
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES: {
            VkPhysicalDeviceSubgroupSizeControlProperties *sizes = structure;
            sizes->minSubgroupSize = 32;
            sizes->maxSubgroupSize = 64;
            sizes->requiredSubgroupSizeStages = VK_SHADER_STAGE_COMPUTE_BIT;
            break;
        }
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES:
            SET_ALL(structure, VkPhysicalDeviceShaderIntegerDotProductProperties,
                    integerDotProduct8BitUnsignedAccelerated);
            break;
        default:
            break;
        }
    }
}

static void get_features(VkPhysicalDevice device, VkPhysicalDeviceFeatures *features) {
    (void)device;
    memset(features, 0, sizeof *features);
}

/* The device is a card: others have none of the extensions. */
static void get_features2(VkPhysicalDevice device, VkPhysicalDeviceFeatures2 *features) {
    get_features(device, &features->features);
    for (VkBaseOutStructure *at = features->pNext; at != NULL; at = at->pNext) {
        /* each of these consists of members that are true or false */
        size_t members = 0;
        switch ((int)at->sType) {
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES:
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES:
            members = 1;
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES:
            members = is(device, "card") ? 4 : 0;
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES:
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES:
            members = 3;
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES:
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES:
        case 1000506000: /* cooperative matrices, which older headers do not know */
            members = 2;
            break;
        default:
            break;
        }
        set_all(at, sizeof(VkBaseOutStructure),
                sizeof(VkBaseOutStructure) + members * sizeof(VkBool32));
    }
}

static void get_memory(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties *memory) {
    (void)device;
    memset(memory, 0, sizeof *memory);
    memory->memoryTypeCount = memory->memoryHeapCount = 1;
    memory->memoryTypes[0].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT |
                                           VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                           VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    memory->memoryHeaps[0].size = (VkDeviceSize)8 << 30;
    memory->memoryHeaps[0].flags = VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
}

/* Three quarters may be had, of which an eighth is. */
static void get_memory2(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties2 *memory) {
    get_memory(device, &memory->memoryProperties);
    for (VkBaseOutStructure *at = memory->pNext; at != NULL; at = at->pNext)
        if (at->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT) {
            VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget = (void *)at;
            budget->heapBudget[0] = memory->memoryProperties.memoryHeaps[0].size / 4 * 3;
            budget->heapUsage[0] = budget->heapBudget[0] / 8;
        }
}

static void get_queues(VkPhysicalDevice device, uint32_t *count, VkQueueFamilyProperties *list) {
    if (list != NULL && *count > 0)
        list[0] = (VkQueueFamilyProperties){.queueFlags = is(device, "idle") ? VK_QUEUE_TRANSFER_BIT
                                                                             : VK_QUEUE_COMPUTE_BIT,
                                            .queueCount = 1};
    *count = 1;
}

static VkResult create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                              const VkAllocationCallbacks *allocator, VkDevice *device) {
    (void)physical, (void)info, (void)allocator, (void)device;
    return VK_ERROR_INITIALIZATION_FAILED;
}

static PFN_vkVoidFunction no_function(VkDevice device, const char *name) {
    (void)device, (void)name;
    return NULL;
}

/* What the loader asks for and heed does not. */
static void nothing(void) {
}

/* ---- the loader's interface ---- */

VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version);
VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance instance,
                                                                   const char *name);

VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    if (*version > 3)
        *version = 3;
    return VK_SUCCESS;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance instance,
                                                                   const char *name) {
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } functions[] = {
        {"vkCreateInstance", (PFN_vkVoidFunction)create_instance},
        {"vkDestroyInstance", (PFN_vkVoidFunction)destroy_instance},
        {"vkEnumerateInstanceExtensionProperties", (PFN_vkVoidFunction)no_extensions},
        {"vkEnumeratePhysicalDevices", (PFN_vkVoidFunction)list_devices},
        {"vkEnumerateDeviceExtensionProperties", (PFN_vkVoidFunction)list_extensions},
        {"vkGetPhysicalDeviceProperties", (PFN_vkVoidFunction)get_properties},
        {"vkGetPhysicalDeviceProperties2", (PFN_vkVoidFunction)get_properties2},
        {"vkGetPhysicalDeviceFeatures", (PFN_vkVoidFunction)get_features},
        {"vkGetPhysicalDeviceFeatures2", (PFN_vkVoidFunction)get_features2},
        {"vkGetPhysicalDeviceMemoryProperties", (PFN_vkVoidFunction)get_memory},
        {"vkGetPhysicalDeviceMemoryProperties2", (PFN_vkVoidFunction)get_memory2},
        {"vkGetPhysicalDeviceQueueFamilyProperties", (PFN_vkVoidFunction)get_queues},
        {"vkGetPhysicalDeviceFormatProperties", nothing},
        {"vkGetPhysicalDeviceImageFormatProperties", nothing},
        {"vkGetPhysicalDeviceSparseImageFormatProperties", nothing},
        {"vkCreateDevice", (PFN_vkVoidFunction)create_device},
        {"vkGetDeviceProcAddr", (PFN_vkVoidFunction)no_function},
    };
    (void)instance;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strcmp(name, functions[i].name) == 0)
            return functions[i].function;
    return NULL;
}
