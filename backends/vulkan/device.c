/* SPDX-License-Identifier: Apache-2.0 */
/* Finding devices, saying what they are, and opening one. */
#include <stdio.h>
#include <string.h>

#include "vulkan.h"

/* volk keeps the loader's functions in globals. They are the same for every instance, and written
 * by one thread at a time. */
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

enum heed_status heedi_vk_instance_create(VkInstance *instance, struct heed_error *error) {
    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pApplicationName = "heed",
        .pEngineName = "heed",
        .apiVersion = VK_API_VERSION_1_1,
    };
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo = &application,
    };
    *instance = VK_NULL_HANDLE;
    pthread_mutex_lock(&loading);
    VkResult result = volkInitialize();
    if (result == VK_SUCCESS && volkGetInstanceVersion() < VK_API_VERSION_1_1)
        result = VK_ERROR_INCOMPATIBLE_DRIVER;
    const bool loaded = result == VK_SUCCESS;
    if (loaded)
        result = vkCreateInstance(&info, NULL, instance);
    if (result == VK_SUCCESS)
        volkLoadInstanceOnly(*instance);
    pthread_mutex_unlock(&loading);
    if (result == VK_SUCCESS)
        return HEED_OK;
    if (!loaded)
        return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED,
                                 "Vulkan 1.1 is not installed (Debian: libvulkan1 and a driver, "
                                 "such as mesa-vulkan-drivers)");
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED,
                                 "Vulkan has no driver (Debian: mesa-vulkan-drivers)");
    return heedi_vk_result(error, result, "opening Vulkan");
}

/* The family of queues to compute with: one that does nothing else but copy, if there is one, as
 * that leaves the screen alone. */
static bool find_queue(struct vk_device *device) {
    enum { MOST = 32 };
    VkQueueFamilyProperties families[MOST];
    uint32_t count = MOST;
    int best = -1;
    vkGetPhysicalDeviceQueueFamilyProperties(device->physical, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        if ((families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) == 0 || families[i].queueCount == 0)
            continue;
        const int rank = (families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT) == 0 ? 1 : 0;
        if (rank > best) {
            best = rank;
            device->queue_family = i;
            device->timestamp_bits = families[i].timestampValidBits;
        }
    }
    return best >= 0;
}

/* Whether the host does best to write device memory itself: it can, and that is no window on what
 * lies on a card. */
static bool is_unified(const struct vk_device *device) {
    const VkMemoryPropertyFlags wanted = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT |
                                         VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                         VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    if (device->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU)
        return false;
    for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++)
        if ((device->memory.memoryTypes[i].propertyFlags & wanted) == wanted)
            return true;
    return false;
}

static void read_properties(struct vk_device *device) {
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceMaintenance3Properties maintenance = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES,
        .pNext = heedi_vk_has(device, VK_EXTENSION_DRIVER) ? &driver : NULL};
    VkPhysicalDeviceIDProperties identity = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, .pNext = &maintenance};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &identity};
    vkGetPhysicalDeviceProperties2(device->physical, &all);
    vkGetPhysicalDeviceMemoryProperties(device->physical, &device->memory);
    device->properties = all.properties;
    memcpy(device->uuid, identity.deviceUUID, sizeof device->uuid);
    device->software = all.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    (void)snprintf(device->driver, sizeof device->driver, "%.100s%s%.100s",
                   driver.driverName[0] != '\0' ? driver.driverName : "unnamed driver",
                   driver.driverInfo[0] != '\0' ? " " : "", driver.driverInfo);
    const VkPhysicalDeviceLimits *given = &all.properties.limits;
    struct vk_limits *limits = &device->limits;
    limits->workgroup = given->maxComputeWorkGroupInvocations < given->maxComputeWorkGroupSize[0]
                            ? given->maxComputeWorkGroupInvocations
                            : given->maxComputeWorkGroupSize[0];
    limits->groups = given->maxComputeWorkGroupCount[0] < given->maxComputeWorkGroupCount[1]
                         ? given->maxComputeWorkGroupCount[0]
                         : given->maxComputeWorkGroupCount[1];
    limits->shared_bytes = given->maxComputeSharedMemorySize;
    limits->descriptors = given->maxPerStageDescriptorStorageBuffers;
    limits->align_bytes = (uint32_t)given->minStorageBufferOffsetAlignment;
    limits->range_bytes = given->maxStorageBufferRange;
    limits->allocation_bytes = maintenance.maxMemoryAllocationSize;
    limits->heap_bytes = UINT64_MAX;
    limits->unified = is_unified(device) ? 1 : 0;
    limits->fuse = 1;
    limits->work = 4000000000u; /* the slowest phones do some 10 in a nanosecond */
}

/* Drivers list devices in an order that depends on the desktop and on the drivers installed. Ours
 * goes by the kind of device, then by what stays: which device it is, and which driver. */
static int compare(const struct vk_device *a, const struct vk_device *b) {
    static const int ranks[] = {
        [VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU] = 0, [VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU] = 1,
        [VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU] = 2,  [VK_PHYSICAL_DEVICE_TYPE_OTHER] = 3,
        [VK_PHYSICAL_DEVICE_TYPE_CPU] = 4,
    };
    const uint32_t kinds = sizeof ranks / sizeof ranks[0];
    const uint32_t x = (uint32_t)a->properties.deviceType, y = (uint32_t)b->properties.deviceType;
    int order = (x < kinds ? ranks[x] : 3) - (y < kinds ? ranks[y] : 3);
    if (order == 0)
        order = memcmp(a->uuid, b->uuid, sizeof a->uuid);
    return order != 0 ? order : strcmp(a->driver, b->driver);
}

static void sort(struct vk_device *devices, uint32_t count) {
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t j = i; j > 0 && compare(&devices[j - 1], &devices[j]) > 0; j--) {
            const struct vk_device later = devices[j - 1];
            devices[j - 1] = devices[j];
            devices[j] = later;
        }
}

enum heed_status heedi_vk_devices(VkInstance instance, struct vk_device *devices, uint32_t capacity,
                                  uint32_t *count, struct heed_error *error) {
    enum { MOST = 32 };
    VkPhysicalDevice physical[MOST];
    uint32_t found = MOST;
    *count = 0;
    const VkResult result = vkEnumeratePhysicalDevices(instance, &found, physical);
    if (result == VK_ERROR_INITIALIZATION_FAILED) /* the loader's word for none */
        found = 0;
    else if (result < VK_SUCCESS)
        return heedi_vk_result(error, result, "listing Vulkan's devices");
    (void)heedi_common_fail(error, HEED_OK, "Vulkan has no device");
    for (uint32_t i = 0; i < found && *count < capacity; i++) {
        struct vk_device device = {.physical = physical[i]};
        VkPhysicalDeviceProperties properties;
        vkGetPhysicalDeviceProperties(physical[i], &properties);
        const uint32_t version = properties.apiVersion;
        if (version < VK_API_VERSION_1_1) {
            (void)heedi_common_fail(error, HEED_OK, "%.100s has Vulkan %u.%u, 1.1 is needed",
                                    properties.deviceName, (unsigned)VK_API_VERSION_MAJOR(version),
                                    (unsigned)VK_API_VERSION_MINOR(version));
        } else if (!find_queue(&device)) {
            (void)heedi_common_fail(error, HEED_OK, "%.100s cannot compute", properties.deviceName);
        } else {
            heedi_vk_features_read(&device);
            read_properties(&device);
            const enum heed_status status = heedi_vk_limits_lower(&device, error);
            if (status != HEED_OK)
                return status;
            devices[(*count)++] = device;
        }
    }
    sort(devices, *count);
    return HEED_OK;
}

uint64_t heedi_vk_device_memory(const struct vk_device *device) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < device->memory.memoryHeapCount; i++)
        if ((device->memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0)
            bytes += device->memory.memoryHeaps[i].size;
    return bytes;
}

bool heedi_vk_device_budget(const struct vk_device *device, uint64_t *bytes, uint64_t *used) {
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 all = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, .pNext = &budget};
    *bytes = *used = 0;
    if (!heedi_vk_has(device, VK_EXTENSION_BUDGET))
        return false;
    vkGetPhysicalDeviceMemoryProperties2(device->physical, &all);
    for (uint32_t i = 0; i < device->memory.memoryHeapCount; i++)
        if ((device->memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0) {
            *bytes += budget.heapBudget[i];
            *used += budget.heapUsage[i];
        }
    return true;
}

static const char *vendor_name(uint32_t id) {
    switch (id) {
    case 0x1002:
        return "AMD";
    case 0x1010:
        return "Imagination";
    case 0x10de:
        return "NVIDIA";
    case 0x13b5:
        return "Arm";
    case 0x5143:
        return "Qualcomm";
    case 0x8086:
        return "Intel";
    case 0x106b:
        return "Apple";
    case 0x10005:
        return "Mesa";
    default:
        return "unknown vendor";
    }
}

void heedi_vk_describe(const struct vk_device *device, struct heed_device_info *info) {
    const struct vk_limits *limits = &device->limits;
    static const enum heed_device_type types[] = {
        [VK_PHYSICAL_DEVICE_TYPE_OTHER] = HEED_DEVICE_OTHER,
        [VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU] = HEED_DEVICE_GPU_INTEGRATED,
        [VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU] = HEED_DEVICE_GPU_DISCRETE,
        [VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU] = HEED_DEVICE_GPU_DISCRETE,
        [VK_PHYSICAL_DEVICE_TYPE_CPU] = HEED_DEVICE_SOFTWARE,
    };
    const uint32_t type = (uint32_t)device->properties.deviceType;
    const uint32_t version = device->properties.apiVersion;
    info->type = type < sizeof types / sizeof types[0] ? types[type] : HEED_DEVICE_OTHER;
    info->plan_alignment = limits->align_bytes > 64 ? limits->align_bytes : 64;
    info->memory_bytes = heedi_vk_device_memory(device);
    (void)snprintf(info->name, sizeof info->name, "%.120s", device->properties.deviceName);
    const int length = snprintf(info->description, sizeof info->description,
                                "%s, %.100s, Vulkan %u.%u; workgroups of %u, %u KiB shared",
                                vendor_name(device->properties.vendorID), device->driver,
                                VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version),
                                limits->workgroup, limits->shared_bytes / 1024);
    if (limits->subgroup > 0)
        (void)snprintf(info->description + length, sizeof info->description - (size_t)length,
                       ", subgroups of %u", limits->subgroup);
    for (size_t i = 0; i < VK_UUID_SIZE; i++)
        (void)snprintf(info->identity + 2 * i, 3, "%02x", device->uuid[i]);
    /* Vulkan leaves the direction of rounding open and lets denormals be flushed. The functions are
     * our own (common/functions.glsl): errors measured over all f32 arguments. */
    info->numeric = (struct heed_numeric_profile){.struct_size = sizeof info->numeric,
                                                  .unit_roundoff = 0x1p-23f,
                                                  .exp_ulp = 4.0f,
                                                  .tanh_ulp = 4.0f,
                                                  .erf_ulp = 4.0f,
                                                  .accumulator = HEED_F32,
                                                  .flushes_denormals = 1};
    info->preference = 10;
}

/* One layout for all shaders: storage buffers, of which each uses the first few, and 128 bytes of
 * push constants. */
static enum heed_status create_layouts(struct heed_plugin *plugin, struct heed_error *error) {
    VkDescriptorSetLayoutBinding bindings[HEED_MAX_BINDINGS];
    for (uint32_t i = 0; i < HEED_MAX_BINDINGS; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    const VkDescriptorSetLayoutCreateInfo set_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = HEED_MAX_BINDINGS,
        .pBindings = bindings,
    };
    VkResult result = plugin->vk.vkCreateDescriptorSetLayout(plugin->handle, &set_info, NULL,
                                                             &plugin->set_layout);
    const VkPushConstantRange range = {
        .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .offset = 0, .size = HEED_PUSH_BYTES};
    const VkPipelineLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &plugin->set_layout,
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &range,
    };
    if (result == VK_SUCCESS)
        result = plugin->vk.vkCreatePipelineLayout(plugin->handle, &info, NULL,
                                                   &plugin->pipeline_layout);
    return heedi_vk_result(error, result, "a pipeline layout");
}

enum heed_status heedi_vk_device_open(struct heed_plugin *plugin, struct heed_error *error) {
    const float priority = 0.5f;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = plugin->device.queue_family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
    };
    if (plugin->device.limits.descriptors < HEED_MAX_BINDINGS)
        return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED,
                                 "the device gives a shader %u storage buffers, %d are needed",
                                 (unsigned)plugin->device.limits.descriptors, HEED_MAX_BINDINGS);
    plugin->stats = plugin->device.features.statistics && heedi_vk_stats_wanted();
    const VkResult result =
        heedi_vk_features_open(&plugin->device, plugin->stats, &info, &plugin->handle);
    if (result != VK_SUCCESS)
        return heedi_vk_result(error, result, "opening the device");
    volkLoadDeviceTable(&plugin->vk, plugin->handle);
    heedi_vk_cache_open(plugin);
    heedi_vk_coop_open(plugin);
    plugin->vk.vkGetDeviceQueue(plugin->handle, plugin->device.queue_family, 0, &plugin->queue);
    return create_layouts(plugin, error);
}
