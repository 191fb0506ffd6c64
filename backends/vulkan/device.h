/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: what they have, what of it may be used, and how they are opened. */
#ifndef HEEDI_VULKAN_DEVICE_H
#define HEEDI_VULKAN_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <volk.h>

#include "heed/backend.h"

/* What a device has, or is forced to be content with (HEED_VULKAN_LIMITS). */
struct vk_limits {
    uint32_t workgroup;        /* most invocations of a workgroup */
    uint32_t groups;           /* most workgroups along an axis */
    uint32_t shared_bytes;     /* of a workgroup */
    uint32_t subgroup;         /* size, 0: no subgroup arithmetic */
    uint32_t subgroup_min;     /* sizes that a pipeline may ask for; one, */
    uint32_t subgroup_max;     /* unless features.subgroup_control */
    uint32_t descriptors;      /* storage buffers of a shader */
    uint32_t align_bytes;      /* of the offset of a storage buffer */
    uint64_t range_bytes;      /* most that a storage buffer shows */
    uint64_t allocation_bytes; /* most that one allocation may ask for */
    uint64_t heap_bytes;       /* most that is allocated in all */
    uint32_t unified;          /* 1: the host writes device memory; 0: copies through staging */
    uint32_t fuse;             /* 0: every node is run alone */
    uint64_t work; /* operations of a submission: drivers end what takes longer than two seconds */
};

/* What a device has beyond Vulkan 1.1 and may use. Shaders that need one of these are another form
 * of one that needs none. What they use is switched on (features.c). */
struct vk_features {
    bool subgroup_arithmetic; /* limits.subgroup > 0 */
    bool subgroup_control;    /* pipelines may ask for a size, and for full subgroups */
    bool storage16, storage8;
    bool float16, int8;
    bool dot;             /* sums of four products of bytes */
    bool dot_accelerated; /* those are quicker than one by one, and switched on */
    bool memory_model;
    bool coop_khr, coop_nv; /* cooperative matrices, of 16-bit numbers; at most one of the two */
    bool timeline;
    bool statistics; /* what compilers made of shaders */
};

/* Extensions that features come from. */
enum vk_extension {
    VK_EXTENSION_DRIVER,
    VK_EXTENSION_SUBGROUP_CONTROL,
    VK_EXTENSION_STORAGE8,
    VK_EXTENSION_FLOAT16_INT8,
    VK_EXTENSION_DOT,
    VK_EXTENSION_MEMORY_MODEL,
    VK_EXTENSION_COOP_KHR,
    VK_EXTENSION_COOP_NV,
    VK_EXTENSION_TIMELINE,
    VK_EXTENSION_STATISTICS,
    VK_EXTENSION_BUDGET,
    VK_EXTENSION_COUNT
};

struct vk_device {
    VkPhysicalDevice physical;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    uint8_t uuid[VK_UUID_SIZE];
    char driver[256]; /* name and version */
    bool software;
    uint32_t queue_family;
    uint32_t timestamp_bits;
    uint32_t extensions; /* bits 1 << enum vk_extension */
    struct vk_limits limits;
    struct vk_features features;
};

/* ---- device.c ---- */
/* Loads Vulkan and makes an instance. On failure *instance is NULL and `error` says why. */
enum heed_status heedi_vk_instance_create(VkInstance *instance, struct heed_error *error);
/* The devices that can be used, at most `capacity`, in an order that stays; *count is how many
 * there are. None is no error: `error` says why. */
enum { VK_MOST_DEVICES = 16 };
enum heed_status heedi_vk_devices(VkInstance instance, struct vk_device *devices, uint32_t capacity,
                                  uint32_t *count, struct heed_error *error);
/* Bytes of what is its own. */
uint64_t heedi_vk_device_memory(const struct vk_device *device);
/* Of these, what the driver reckons that this process can have now, and what it has. False: the
 * driver does not tell. The sum is a hint: whether an allocation succeeds is the driver's to say.
 */
bool heedi_vk_device_budget(const struct vk_device *device, uint64_t *bytes, uint64_t *used);
void heedi_vk_describe(const struct vk_device *device, struct heed_device_info *info);
enum heed_status heedi_vk_device_open(struct heed_plugin *plugin, struct heed_error *error);

/* ---- report.c ---- */
extern const struct heed_report_extension heedi_vk_report;

/* ---- features.c ---- */
/* Fills extensions, features and the sizes of subgroups. */
void heedi_vk_features_read(struct vk_device *device);
/* Takes away what cannot be used without something that is missing. */
void heedi_vk_features_settle(struct vk_features *features);
bool heedi_vk_has(const struct vk_device *device, enum vk_extension extension);
/* Opens the device with what shaders use of its features; `statistics`: and with these. */
VkResult heedi_vk_features_open(const struct vk_device *device, bool statistics,
                                VkDeviceCreateInfo *info, VkDevice *handle);

/* ---- limits.c ---- */
/* Lowers limits and takes features away as HEED_VULKAN_LIMITS says. */
enum heed_status heedi_vk_limits_lower(struct vk_device *device, struct heed_error *error);

#endif
