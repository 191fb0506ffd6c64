/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline cache on disk: what a driver made of our shaders, so that it need not do it again
 * when the next program starts. One file per device and driver, in the user's cache folder.
 *
 * Drivers check little of what they are given, so the file says what it is for and has a checksum;
 * anything that does not fit is thrown away without a word. It is written to another name and
 * renamed, so that it is whole or not there. HEED_VULKAN_CACHE=off leaves the disk alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan.h"

enum { MOST_BYTES = 256 << 20 };

struct header {
    char magic[8];
    uint32_t vendor, device, driver, api;
    uint8_t uuid[VK_UUID_SIZE]; /* of the driver's pipeline cache */
    uint8_t chip[VK_UUID_SIZE]; /* of the device */
    uint64_t bytes, hash;       /* of what follows */
};

/* FNV-1a. */
static uint64_t hash_of(const unsigned char *data, size_t bytes) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ data[i]) * 0x100000001b3u;
    return hash;
}

static struct header expected(const struct vk_device *device) {
    struct header header;
    memset(&header, 0, sizeof header);
    memcpy(header.magic, "HEEDVKP1", sizeof header.magic);
    header.vendor = device->properties.vendorID;
    header.device = device->properties.deviceID;
    header.driver = device->properties.driverVersion;
    header.api = device->properties.apiVersion;
    memcpy(header.uuid, device->properties.pipelineCacheUUID, sizeof header.uuid);
    memcpy(header.chip, device->uuid, sizeof header.chip);
    return header;
}

bool heedi_vk_cache_path(const struct vk_device *device, const char *suffix,
                         char path[VK_PATH_BYTES]) {
    const char *choice = getenv("HEED_VULKAN_CACHE");
    if ((choice != NULL && strcmp(choice, "off") == 0) ||
        !heedi_vk_cache_folder(path, VK_PATH_BYTES))
        return false;
    const struct header header = expected(device);
    const size_t length = strlen(path);
    const int more = snprintf(
        path + length, VK_PATH_BYTES - length, "/vulkan-%04x-%04x-%016llx%s",
        (unsigned)header.vendor, (unsigned)header.device,
        (unsigned long long)hash_of((const unsigned char *)&header, offsetof(struct header, bytes)),
        suffix);
    return more > 0 && (size_t)more < VK_PATH_BYTES - length;
}

/* The driver's data in the file, or NULL. The caller frees it. */
static void *load(const struct heed_plugin *plugin, const char *path, size_t *bytes,
                  uint64_t *hash) {
    struct header header;
    const struct header wanted = expected(&plugin->device);
    unsigned char *data = NULL;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    if (fread(&header, sizeof header, 1, file) == 1 &&
        memcmp(&header, &wanted, offsetof(struct header, bytes)) == 0 && header.bytes > 0 &&
        header.bytes <= MOST_BYTES)
        data = heedi_common_calloc(plugin->host, (size_t)header.bytes, 1);
    if (data != NULL && (fread(data, (size_t)header.bytes, 1, file) != 1 || fgetc(file) != EOF ||
                         hash_of(data, (size_t)header.bytes) != header.hash)) {
        heedi_common_free(plugin->host, data);
        data = NULL;
    }
    if (data != NULL) {
        *bytes = (size_t)header.bytes;
        *hash = header.hash;
    }
    (void)fclose(file);
    return data;
}

void heedi_vk_cache_open(struct heed_plugin *plugin) {
    char path[VK_PATH_BYTES];
    VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    void *data = NULL;
    if (heedi_vk_cache_path(&plugin->device, "", path))
        data = load(plugin, path, &info.initialDataSize, &plugin->cache_hash);
    info.pInitialData = data;
    if (plugin->vk.vkCreatePipelineCache(plugin->handle, &info, NULL, &plugin->pipeline_cache) !=
        VK_SUCCESS)
        plugin->pipeline_cache = VK_NULL_HANDLE; /* pipelines are made without one */
    heedi_common_free(plugin->host, data);
}

static bool store(const char *path, const struct header *header, const void *data) {
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return false;
    const bool written = fwrite(header, sizeof *header, 1, file) == 1 &&
                         fwrite(data, (size_t)header->bytes, 1, file) == 1;
    return fclose(file) == 0 && written;
}

void heedi_vk_cache_save(struct heed_plugin *plugin) {
    char path[VK_PATH_BYTES], part[VK_PATH_BYTES + 32];
    size_t bytes = 0;
    if (plugin->pipeline_cache == VK_NULL_HANDLE ||
        !heedi_vk_cache_path(&plugin->device, "", path) ||
        plugin->vk.vkGetPipelineCacheData(plugin->handle, plugin->pipeline_cache, &bytes, NULL) !=
            VK_SUCCESS ||
        bytes == 0 || bytes > MOST_BYTES)
        return;
    void *data = heedi_common_calloc(plugin->host, bytes, 1);
    if (data == NULL)
        return;
    const VkResult result =
        plugin->vk.vkGetPipelineCacheData(plugin->handle, plugin->pipeline_cache, &bytes, data);
    struct header header = expected(&plugin->device);
    header.bytes = bytes;
    header.hash = hash_of(data, bytes);
    if (result == VK_SUCCESS && header.hash != plugin->cache_hash) {
        (void)snprintf(part, sizeof part, "%s.%ld.%p.part", path, heedi_vk_process(),
                       (void *)plugin);
        if (!store(part, &header, data) || rename(part, path) != 0)
            (void)remove(part);
    }
    heedi_common_free(plugin->host, data);
}
