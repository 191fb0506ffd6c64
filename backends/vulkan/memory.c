/* SPDX-License-Identifier: Apache-2.0 */
/* Device memory: regions cut from few large blocks, each with one buffer over all of it.
 *
 * A block keeps its free stretches as a list ordered by offset; a region takes the smallest that
 * holds it and joins its neighbours when it is given back. An empty block is freed. */
#include "vulkan.h"

enum { BLOCK_BYTES = 32 << 20 };

struct stretch {
    struct stretch *next;
    uint64_t offset, bytes;
};

struct vk_block {
    struct vk_block *next;
    enum vk_memory_kind kind;
    VkDeviceMemory memory;
    VkBuffer buffer;
    char *mapped;
    uint64_t bytes, used;
    struct stretch *free;
};

/* The offset of every region fits every use of a buffer. */
static uint64_t alignment(const struct heed_plugin *plugin) {
    const uint64_t align = plugin->device.limits.align_bytes;
    return align > 256 ? align : 256;
}

/* The first type, in order of preference, among those allowed, as bits; -1: none. */
static int memory_type(const struct vk_device *device, uint32_t allowed, enum vk_memory_kind kind) {
    enum { CHOICES = 4 };
    const VkMemoryPropertyFlags host =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    const VkMemoryPropertyFlags cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    const VkMemoryPropertyFlags unified[CHOICES] = {host | local | cached, host | local, local, 0};
    const VkMemoryPropertyFlags apart[CHOICES] = {local, 0, 0, 0};
    const VkMemoryPropertyFlags staging[CHOICES] = {host | cached, host, host, host};
    const VkMemoryPropertyFlags *wanted = kind == VK_MEMORY_STAGING ? staging
                                          : device->limits.unified  ? unified
                                                                    : apart;
    for (int i = 0; i < CHOICES; i++)
        for (uint32_t j = 0; j < device->memory.memoryTypeCount; j++)
            if ((allowed & 1u << j) != 0 &&
                (device->memory.memoryTypes[j].propertyFlags & wanted[i]) == wanted[i])
                return (int)j;
    return -1;
}

/* Whether the host sees memory of the type, and that is where it writes. */
static bool is_mapped(const struct vk_device *device, enum vk_memory_kind kind, int type) {
    const VkMemoryPropertyFlags flags = device->memory.memoryTypes[type].propertyFlags;
    return (kind == VK_MEMORY_STAGING || device->limits.unified) &&
           (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) != 0 &&
           (flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != 0;
}

static void destroy_block(struct heed_plugin *plugin, struct vk_block *block) {
    for (struct stretch *stretch = block->free; stretch != NULL;) {
        struct stretch *next = stretch->next;
        heedi_common_free(plugin->host, stretch);
        stretch = next;
    }
    plugin->vk.vkDestroyBuffer(plugin->handle, block->buffer, NULL);
    plugin->vk.vkFreeMemory(plugin->handle, block->memory, NULL);
    plugin->memory.allocated_bytes -= block->bytes;
    heedi_common_free(plugin->host, block);
}

/* Memory for the block's buffer, of the best type that has some left. */
static VkResult bind_memory(struct heed_plugin *plugin, struct vk_block *block) {
    VkMemoryRequirements needs;
    VkResult result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    plugin->vk.vkGetBufferMemoryRequirements(plugin->handle, block->buffer, &needs);
    while (result == VK_ERROR_OUT_OF_DEVICE_MEMORY) {
        const int type = memory_type(&plugin->device, needs.memoryTypeBits, block->kind);
        if (type < 0)
            return result;
        const VkMemoryAllocateInfo info = {
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .allocationSize = needs.size,
            .memoryTypeIndex = (uint32_t)type,
        };
        result = VK_TRY(plugin, vkAllocateMemory, plugin->handle, &info, NULL, &block->memory);
        needs.memoryTypeBits &= ~(1u << type);
        if (result != VK_SUCCESS)
            continue;
        result =
            VK_TRY(plugin, vkBindBufferMemory, plugin->handle, block->buffer, block->memory, 0);
        if (result == VK_SUCCESS && is_mapped(&plugin->device, block->kind, type))
            result = VK_TRY(plugin, vkMapMemory, plugin->handle, block->memory, 0, VK_WHOLE_SIZE, 0,
                            (void **)&block->mapped);
        return result;
    }
    return result;
}

static enum heed_status create_block(struct heed_plugin *plugin, enum vk_memory_kind kind,
                                     uint64_t bytes, struct vk_block **made,
                                     struct heed_error *error) {
    struct vk_block *block = heedi_common_calloc(plugin->host, 1, sizeof *block);
    struct stretch *all = heedi_common_calloc(plugin->host, 1, sizeof *all);
    *made = NULL;
    if (block == NULL || all == NULL) {
        heedi_common_free(plugin->host, block);
        heedi_common_free(plugin->host, all);
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    }
    *all = (struct stretch){.bytes = bytes};
    block->kind = kind;
    block->bytes = bytes;
    block->free = all;
    plugin->memory.allocated_bytes += bytes;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = bytes,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    VkResult result =
        plugin->memory.allocated_bytes > plugin->device.limits.heap_bytes
            ? VK_ERROR_OUT_OF_DEVICE_MEMORY
            : VK_TRY(plugin, vkCreateBuffer, plugin->handle, &info, NULL, &block->buffer);
    if (result == VK_SUCCESS)
        result = bind_memory(plugin, block);
    if (result != VK_SUCCESS) {
        destroy_block(plugin, block);
        return heedi_vk_result(error, result, "device memory");
    }
    *made = block;
    return HEED_OK;
}

/* Takes `bytes` from the smallest free stretch that holds them. */
static bool take(struct heed_plugin *plugin, struct vk_block *block, uint64_t bytes,
                 struct vk_region *region) {
    struct stretch **best = NULL;
    for (struct stretch **at = &block->free; *at != NULL; at = &(*at)->next)
        if ((*at)->bytes >= bytes && (best == NULL || (*at)->bytes < (*best)->bytes))
            best = at;
    if (best == NULL)
        return false;
    struct stretch *stretch = *best;
    *region = (struct vk_region){.block = block,
                                 .buffer = block->buffer,
                                 .offset = stretch->offset,
                                 .bytes = bytes,
                                 .mapped = block->mapped != NULL ? block->mapped + stretch->offset
                                                                 : NULL};
    stretch->offset += bytes;
    stretch->bytes -= bytes;
    block->used += bytes;
    if (stretch->bytes == 0) {
        *best = stretch->next;
        heedi_common_free(plugin->host, stretch);
    }
    return true;
}

static enum heed_status allocate(struct heed_plugin *plugin, enum vk_memory_kind kind,
                                 uint64_t bytes, struct vk_region *region,
                                 struct heed_error *error) {
    const uint64_t least = BLOCK_BYTES, most = plugin->device.limits.allocation_bytes;
    for (struct vk_block *block = plugin->memory.blocks; block != NULL; block = block->next)
        if (block->kind == kind && take(plugin, block, bytes, region))
            return HEED_OK;
    struct vk_block *block = NULL;
    uint64_t size = bytes > least ? bytes : least;
    if (size > most)
        size = bytes;
    enum heed_status status = create_block(plugin, kind, size, &block, error);
    if (status != HEED_OK && size > bytes) /* perhaps there is that much */
        status = create_block(plugin, kind, bytes, &block, error);
    if (status != HEED_OK || block == NULL)
        return status;
    block->next = plugin->memory.blocks;
    plugin->memory.blocks = block;
    (void)take(plugin, block, bytes, region);
    return HEED_OK;
}

enum heed_status heedi_vk_allocate(struct heed_plugin *plugin, enum vk_memory_kind kind,
                                   uint64_t bytes, struct vk_region *region,
                                   struct heed_error *error) {
    __atomic_fetch_add(&plugin->memory.taken, 1, __ATOMIC_RELAXED);
    const uint64_t align = alignment(plugin);
    *region = (struct vk_region){.block = NULL};
    if (bytes > plugin->device.limits.allocation_bytes)
        return heedi_common_fail(error, HEED_ERROR_LIMIT,
                                 "%llu bytes are more than this device allocates at once",
                                 (unsigned long long)bytes);
    bytes = bytes == 0 ? align : (bytes + align - 1) / align * align;
    pthread_mutex_lock(&plugin->memory.mutex);
    const enum heed_status status = allocate(plugin, kind, bytes, region, error);
    pthread_mutex_unlock(&plugin->memory.mutex);
    return status;
}

/* Puts a stretch back in its place and joins it with its neighbours. */
static void give_back(struct heed_plugin *plugin, struct vk_block *block, struct stretch *given) {
    struct stretch **at = &block->free, *before = NULL;
    while (*at != NULL && (*at)->offset < given->offset) {
        before = *at;
        at = &(*at)->next;
    }
    struct stretch *after = *at;
    given->next = after;
    *at = given;
    if (after != NULL && given->offset + given->bytes == after->offset) {
        given->bytes += after->bytes;
        given->next = after->next;
        heedi_common_free(plugin->host, after);
    }
    if (before != NULL && before->offset + before->bytes == given->offset) {
        before->bytes += given->bytes;
        before->next = given->next;
        heedi_common_free(plugin->host, given);
    }
}

void heedi_vk_release(struct heed_plugin *plugin, struct vk_region *region) {
    struct vk_block *block = region->block;
    if (block == NULL)
        return;
    heedi_vk_transfers_finish(plugin);
    pthread_mutex_lock(&plugin->memory.mutex);
    struct stretch *stretch = heedi_common_calloc(plugin->host, 1, sizeof *stretch);
    block->used -= region->bytes;
    if (stretch != NULL) { /* else it is lost until the block is empty */
        stretch->offset = region->offset;
        stretch->bytes = region->bytes;
        give_back(plugin, block, stretch);
    }
    if (block->used == 0) {
        struct vk_block **at = &plugin->memory.blocks;
        while (*at != block)
            at = &(*at)->next;
        *at = block->next;
        destroy_block(plugin, block);
    }
    pthread_mutex_unlock(&plugin->memory.mutex);
    *region = (struct vk_region){.block = NULL};
}

void heedi_vk_memory_destroy(struct heed_plugin *plugin) {
    while (plugin->memory.blocks != NULL) {
        struct vk_block *block = plugin->memory.blocks;
        plugin->memory.blocks = block->next;
        destroy_block(plugin, block);
    }
}
