/* SPDX-License-Identifier: Apache-2.0 */
/* What a device is, has and is used for, as lines for people: extension "heed.report/1". */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vulkan.h"

struct text {
    char *at;
    size_t left; /* with the 0 at the end */
};

static void add(struct text *text, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(text->at, text->left, format, args);
    va_end(args);
    const size_t more = length < 0 ? 0 : (size_t)length;
    const size_t used = more < text->left ? more : text->left - 1;
    text->at += used;
    text->left -= used;
}

static void add_bytes(struct text *text, uint64_t bytes) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
    uint32_t unit = 0;
    double size = (double)bytes;
    for (; size >= 1024 && unit < 3; unit++)
        size /= 1024;
    add(text, size < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

static void add_driver(struct text *text, const struct vk_device *device) {
    const VkPhysicalDeviceProperties *properties = &device->properties;
    const uint32_t version = properties->apiVersion;
    add(text, "driver: %s, Vulkan %u.%u.%u\n", device->driver,
        (unsigned)VK_API_VERSION_MAJOR(version), (unsigned)VK_API_VERSION_MINOR(version),
        (unsigned)VK_API_VERSION_PATCH(version));
    add(text, "identity: vendor %04x, device %04x, UUID ", (unsigned)properties->vendorID,
        (unsigned)properties->deviceID);
    for (size_t i = 0; i < VK_UUID_SIZE; i++)
        add(text, "%02x", device->uuid[i]);
    add(text, "\n");
}

static void add_limits(struct text *text, const struct vk_device *device) {
    const struct vk_limits *limits = &device->limits;
    uint64_t budget, used;
    add(text, "memory: ");
    add_bytes(text, heedi_vk_device_memory(device));
    add(text, limits->unified != 0 ? ", which the host writes" : ", by copies through staging");
    add(text, "; at once ");
    add_bytes(text, limits->allocation_bytes);
    if (heedi_vk_device_budget(device, &budget, &used)) {
        add(text, "; budget ");
        add_bytes(text, budget);
        add(text, ", ");
        add_bytes(text, used);
        add(text, " in use");
    }
    add(text, "\nlimits: workgroups of %u, %u along an axis, ", (unsigned)limits->workgroup,
        (unsigned)limits->groups);
    add_bytes(text, limits->shared_bytes);
    add(text, " shared; %u storage buffers of ", (unsigned)limits->descriptors);
    add_bytes(text, limits->range_bytes);
    add(text, ", aligned to %u; subgroups of ", (unsigned)limits->align_bytes);
    add(text, limits->subgroup_min < limits->subgroup_max ? "%u to %u\n" : "%u\n",
        (unsigned)limits->subgroup_min, (unsigned)limits->subgroup_max);
}

static void add_features(struct text *text, const struct vk_device *device) {
    const struct vk_features *has = &device->features;
    const struct {
        const char *name;
        bool there;
    } features[] = {
        {"subgroup arithmetic", has->subgroup_arithmetic},
        {"subgroup-size control", has->subgroup_control},
        {"16-bit storage", has->storage16},
        {"8-bit storage", has->storage8},
        {"float16", has->float16},
        {"int8", has->int8},
        {"accelerated integer dot product", has->dot_accelerated},
        {"cooperative matrix", has->coop_khr || has->coop_nv},
        {"timeline semaphores", has->timeline},
    };
    for (int there = 1; there >= 0; there--) {
        const char *before = there == 1 ? "features: " : "lacks: ";
        for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
            if (features[i].there == (there == 1)) {
                add(text, "%s%s", before, features[i].name);
                before = ", ";
            }
        if (before[0] == ',')
            add(text, "\n");
    }
}

/* Which forms of kernels the device's features select. Those that need more than Vulkan 1.1 prove
 * themselves before they are used (selftest.c). */
static void add_kernels(struct text *text, const struct vk_device *device) {
    const struct vk_features *has = &device->features;
    const bool coop = has->coop_khr || has->coop_nv;
    add(text, "kernels: products: %stiles, columns for up to 16 rows; ",
        coop ? "cooperative matrices for f16 weights, else " : "");
    add(text, "quantised products: %s; ", has->dot_accelerated ? "integer dot products" : "f32");
    add(text, "reductions of rows: %s\n", has->subgroup_arithmetic ? "subgroups" : "shared memory");
}

static void add_submission(struct text *text, const struct vk_device *device) {
    const uint64_t ns = heedi_vk_submission_read(device);
    if (ns > 0)
        add(text, "submission: %.3f ms from handing work over to hearing that it is done\n",
            (double)ns / 1e6);
}

static enum heed_status write_report(uint32_t index, char *bytes, size_t capacity,
                                     struct heed_error *error) {
    struct vk_device found[VK_MOST_DEVICES];
    VkInstance instance = VK_NULL_HANDLE;
    uint32_t count = 0;
    struct text text = {.at = bytes, .left = capacity};
    if (capacity == 0)
        return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT, "no room for a report");
    bytes[0] = '\0';
    enum heed_status status = heedi_vk_instance_create(&instance, error);
    if (status != HEED_OK)
        return status;
    status = heedi_vk_devices(instance, found, VK_MOST_DEVICES, &count, error);
    if (status == HEED_OK && index >= count)
        status = heedi_common_fail(error, HEED_ERROR_NOT_FOUND, "device %u does not exist",
                                   (unsigned)index);
    if (status == HEED_OK) {
        add_driver(&text, &found[index]);
        add_limits(&text, &found[index]);
        add_features(&text, &found[index]);
        add_kernels(&text, &found[index]);
        add_submission(&text, &found[index]);
    }
    vkDestroyInstance(instance, NULL);
    return status;
}

const struct heed_report_extension heedi_vk_report = {.struct_size = sizeof heedi_vk_report,
                                                      .write = write_report};
