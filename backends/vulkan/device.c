/* SPDX-License-Identifier: Apache-2.0 */
/* Finding devices, saying what they are, and opening one. */
#include <stdio.h>
#include <stdlib.h>
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
        return heedi_vk_fail(error, HEED_ERROR_UNSUPPORTED,
                             "Vulkan 1.1 is not installed (Debian: libvulkan1 and a driver, "
                             "such as mesa-vulkan-drivers)");
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        return heedi_vk_fail(error, HEED_ERROR_UNSUPPORTED,
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

/* The number after `name=`, where `at` begins with that. */
static bool read_limit(const char *at, const char *name, uint64_t *value) {
    const size_t length = strlen(name);
    if (strncmp(at, name, length) != 0 || at[length] < '0' || at[length] > '9')
        return false;
    *value = strtoull(at + length, NULL, 10);
    return true;
}

/* HEED_VULKAN_LIMITS: "name=value,..." lowers a limit, so that a large device shows what a small
 * one would do. What is not known, raises a limit, or leaves nothing is passed over. */
static void lower_limits(struct vk_limits *limits) {
    const struct {
        const char *name;
        uint32_t *limit;
    } names[] = {
        {"workgroup=", &limits->workgroup},     {"groups=", &limits->groups},
        {"shared=", &limits->shared_bytes},     {"subgroup=", &limits->subgroup},
        {"descriptors=", &limits->descriptors},
    };
    const struct {
        const char *name;
        uint64_t *limit;
    } large[] = {{"range=", &limits->range_bytes}, {"work=", &limits->work}};
    for (const char *at = getenv("HEED_VULKAN_LIMITS"); at != NULL && *at != '\0';) {
        uint64_t value = 0;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (read_limit(at, names[i].name, &value) && value < *names[i].limit &&
                (value > 0 || names[i].limit == &limits->subgroup)) /* 0: no subgroups */
                *names[i].limit = (uint32_t)value;
        /* the other way: more is stricter, up to what Vulkan allows; a power of two */
        if (read_limit(at, "align=", &value) && value > limits->align_bytes && value <= 256 &&
            (value & (value - 1)) == 0)
            limits->align_bytes = (uint32_t)value;
        for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
            if (read_limit(at, large[i].name, &value) && value > 0 && value < *large[i].limit)
                *large[i].limit = value;
        at = strchr(at, ',');
        at = at != NULL ? at + 1 : NULL;
    }
}

static void read_properties(struct vk_device *device) {
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceMaintenance3Properties maintenance = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, .pNext = &driver};
    VkPhysicalDeviceSubgroupProperties subgroup = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES, .pNext = &maintenance};
    VkPhysicalDeviceIDProperties identity = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, .pNext = &subgroup};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &identity};
    const VkSubgroupFeatureFlags wanted =
        VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
    vkGetPhysicalDeviceProperties2(device->physical, &all);
    vkGetPhysicalDeviceMemoryProperties(device->physical, &device->memory);
    device->properties = all.properties;
    memcpy(device->uuid, identity.deviceUUID, sizeof device->uuid);
    device->software = all.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    (void)snprintf(device->driver, sizeof device->driver, "%.100s %.100s",
                   driver.driverName[0] != '\0' ? driver.driverName : "unnamed driver",
                   driver.driverInfo);
    const VkPhysicalDeviceLimits *given = &all.properties.limits;
    device->limits = (struct vk_limits){
        .workgroup = given->maxComputeWorkGroupInvocations < given->maxComputeWorkGroupSize[0]
                         ? given->maxComputeWorkGroupInvocations
                         : given->maxComputeWorkGroupSize[0],
        .groups = given->maxComputeWorkGroupCount[0] < given->maxComputeWorkGroupCount[1]
                      ? given->maxComputeWorkGroupCount[0]
                      : given->maxComputeWorkGroupCount[1],
        .shared_bytes = given->maxComputeSharedMemorySize,
        .subgroup = (subgroup.supportedOperations & wanted) == wanted &&
                            (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0
                        ? subgroup.subgroupSize
                        : 0,
        .descriptors = given->maxPerStageDescriptorStorageBuffers,
        .align_bytes = (uint32_t)given->minStorageBufferOffsetAlignment,
        .range_bytes = given->maxStorageBufferRange,
        .allocation_bytes = maintenance.maxMemoryAllocationSize,
        .work = 4000000000u, /* the slowest phones do some 10 in a nanosecond */
    };
    lower_limits(&device->limits);
}

void heedi_vk_devices(VkInstance instance, struct vk_device *devices, uint32_t capacity,
                      uint32_t *count) {
    enum { MOST = 32 };
    VkPhysicalDevice physical[MOST];
    uint32_t found = MOST;
    *count = 0;
    if (vkEnumeratePhysicalDevices(instance, &found, physical) < VK_SUCCESS)
        return;
    for (uint32_t i = 0; i < found; i++) {
        struct vk_device device = {.physical = physical[i]};
        VkPhysicalDeviceProperties properties;
        vkGetPhysicalDeviceProperties(physical[i], &properties);
        if (properties.apiVersion < VK_API_VERSION_1_1 || !find_queue(&device))
            continue;
        read_properties(&device);
        if (*count < capacity)
            devices[*count] = device;
        ++*count;
    }
}

static uint64_t device_memory(const struct vk_device *device) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < device->memory.memoryHeapCount; i++)
        if ((device->memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0)
            bytes += device->memory.memoryHeaps[i].size;
    return bytes;
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
    info->memory_bytes = device_memory(device);
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
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR stats = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
        .pipelineExecutableInfo = VK_TRUE};
    const char *extension = heedi_vk_stats_extension(plugin);
    plugin->stats = extension != NULL;
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = plugin->stats ? &stats : NULL,
        .enabledExtensionCount = plugin->stats ? 1 : 0,
        .ppEnabledExtensionNames = &extension,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
    };
    if (plugin->device.limits.descriptors < HEED_MAX_BINDINGS)
        return heedi_vk_fail(error, HEED_ERROR_UNSUPPORTED,
                             "the device gives a shader %u storage buffers, %d are needed",
                             (unsigned)plugin->device.limits.descriptors, HEED_MAX_BINDINGS);
    const VkResult result = vkCreateDevice(plugin->device.physical, &info, NULL, &plugin->handle);
    if (result != VK_SUCCESS)
        return heedi_vk_result(error, result, "opening the device");
    volkLoadDeviceTable(&plugin->vk, plugin->handle);
    heedi_vk_cache_open(plugin);
    plugin->vk.vkGetDeviceQueue(plugin->handle, plugin->device.queue_family, 0, &plugin->queue);
    return create_layouts(plugin, error);
}
