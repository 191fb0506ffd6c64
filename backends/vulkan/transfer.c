/* SPDX-License-Identifier: Apache-2.0 */
/* Copies between host and device outside of runs: weights once, states for tests and recovery.
 *
 * Where the host cannot write device memory itself, they go through a ring of slots, each with a
 * piece of staging memory, a command buffer and a fence. What is written to the device is on its
 * way when a call returns: the slot is waited for when it is needed again. Commands that are
 * submitted later see it by the barriers here, as there is one queue. */
#include <string.h>

#include "vulkan.h"

static VkResult make_slots(struct heed_plugin *plugin) {
    struct vk_ring *ring = &plugin->ring;
    const VkCommandPoolCreateInfo pool_info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags =
            VK_COMMAND_POOL_CREATE_TRANSIENT_BIT | VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = plugin->device.queue_family,
    };
    const VkFenceCreateInfo fence_info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkResult result = VK_SUCCESS;
    if (ring->pool == VK_NULL_HANDLE)
        result = VK_TRY(plugin, vkCreateCommandPool, plugin->handle, &pool_info, NULL, &ring->pool);
    for (uint32_t i = 0; result == VK_SUCCESS && i < VK_RING_SLOTS; i++) {
        struct vk_slot *slot = &ring->slots[i];
        const VkCommandBufferAllocateInfo info = {
            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
            .commandPool = ring->pool,
            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
            .commandBufferCount = 1,
        };
        if (slot->commands == VK_NULL_HANDLE)
            result =
                VK_TRY(plugin, vkAllocateCommandBuffers, plugin->handle, &info, &slot->commands);
        if (result == VK_SUCCESS && slot->fence == VK_NULL_HANDLE)
            result = VK_TRY(plugin, vkCreateFence, plugin->handle, &fence_info, NULL, &slot->fence);
    }
    ring->ready = result == VK_SUCCESS;
    return result;
}

/* Slots and staging memory, made at the first use. */
static enum heed_status prepare(struct heed_plugin *plugin, bool staged, struct heed_error *error) {
    struct vk_ring *ring = &plugin->ring;
    if (!ring->ready) {
        const enum heed_status status =
            heedi_vk_result(error, make_slots(plugin), "the commands of transfers");
        if (status != HEED_OK)
            return status;
    }
    if (!staged || ring->staging.block != NULL)
        return HEED_OK;
    return heedi_vk_allocate(plugin, VK_MEMORY_STAGING, (uint64_t)VK_RING_SLOTS * VK_SLOT_BYTES,
                             &ring->staging, error);
}

static VkResult finish(struct heed_plugin *plugin, struct vk_slot *slot) {
    if (!slot->busy)
        return VK_SUCCESS;
    const VkResult result = heedi_vk_fault(plugin->fault)
                                ? plugin->fault->result
                                : heedi_vk_await(plugin, slot->fence, VK_MOST_WAIT_NS);
    if (result == VK_SUCCESS)
        slot->busy = false;
    return result;
}

struct copy {
    VkBuffer from, to; /* no `from`: zeros */
    VkBufferCopy range;
};

/* What comes later sees what was copied, and the copy sees what was written before. */
static void record_copy(struct heed_plugin *plugin, VkCommandBuffer commands,
                        const struct copy *copy) {
    const VkMemoryBarrier before = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
    };
    const VkMemoryBarrier after = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_HOST_READ_BIT | VK_ACCESS_SHADER_READ_BIT |
                         VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
                         VK_ACCESS_TRANSFER_WRITE_BIT,
    };
    plugin->vk.vkCmdPipelineBarrier(
        commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
        VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &before, 0, NULL, 0, NULL);
    if (copy->from == VK_NULL_HANDLE)
        plugin->vk.vkCmdFillBuffer(commands, copy->to, copy->range.dstOffset, copy->range.size, 0);
    else
        plugin->vk.vkCmdCopyBuffer(commands, copy->from, copy->to, 1, &copy->range);
    plugin->vk.vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                                    VK_PIPELINE_STAGE_HOST_BIT |
                                        VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT |
                                        VK_PIPELINE_STAGE_TRANSFER_BIT,
                                    0, 1, &after, 0, NULL, 0, NULL);
}

/* Starts a copy in a slot that is not busy. */
static VkResult start(struct heed_plugin *plugin, struct vk_slot *slot, const struct copy *copy) {
    const VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &slot->commands,
    };
    VkResult result = VK_TRY(plugin, vkResetFences, plugin->handle, 1, &slot->fence);
    if (result == VK_SUCCESS)
        result = VK_TRY(plugin, vkBeginCommandBuffer, slot->commands, &begin);
    if (result != VK_SUCCESS)
        return result;
    record_copy(plugin, slot->commands, copy);
    result = VK_TRY(plugin, vkEndCommandBuffer, slot->commands);
    if (result == VK_SUCCESS) {
        pthread_mutex_lock(&plugin->queue_mutex);
        result = VK_TRY(plugin, vkQueueSubmit, plugin->queue, 1, &submit, slot->fence);
        pthread_mutex_unlock(&plugin->queue_mutex);
        slot->busy = result == VK_SUCCESS;
    }
    return result;
}

/* A slot that is free again. */
static VkResult take_slot(struct heed_plugin *plugin, uint32_t *index) {
    struct vk_ring *ring = &plugin->ring;
    *index = ring->next;
    ring->next = (ring->next + 1) % VK_RING_SLOTS;
    return finish(plugin, &ring->slots[*index]);
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static VkResult write_pieces(struct heed_plugin *plugin, const struct vk_region *region,
                             uint64_t offset, const char *data, uint64_t bytes) {
    const struct vk_region *staging = &plugin->ring.staging;
    VkResult result = VK_SUCCESS;
    for (uint64_t done = 0; result == VK_SUCCESS && done < bytes;) {
        uint32_t index = 0;
        const uint64_t piece = least(bytes - done, VK_SLOT_BYTES);
        result = take_slot(plugin, &index);
        if (result != VK_SUCCESS)
            return result;
        const uint64_t at = (uint64_t)index * VK_SLOT_BYTES;
        const struct copy copy = {.from = staging->buffer,
                                  .to = region->buffer,
                                  .range = {.srcOffset = staging->offset + at,
                                            .dstOffset = region->offset + offset + done,
                                            .size = piece}};
        memcpy((char *)staging->mapped + at, data + done, piece);
        result = start(plugin, &plugin->ring.slots[index], &copy);
        done += piece;
    }
    return result;
}

static VkResult read_pieces(struct heed_plugin *plugin, const struct vk_region *region,
                            uint64_t offset, char *data, uint64_t bytes) {
    const struct vk_region *staging = &plugin->ring.staging;
    VkResult result = VK_SUCCESS;
    for (uint64_t done = 0; result == VK_SUCCESS && done < bytes;) {
        uint32_t index = 0;
        const uint64_t piece = least(bytes - done, VK_SLOT_BYTES);
        result = take_slot(plugin, &index);
        if (result != VK_SUCCESS)
            return result;
        const uint64_t at = (uint64_t)index * VK_SLOT_BYTES;
        const struct copy copy = {.from = region->buffer,
                                  .to = staging->buffer,
                                  .range = {.srcOffset = region->offset + offset + done,
                                            .dstOffset = staging->offset + at,
                                            .size = piece}};
        result = start(plugin, &plugin->ring.slots[index], &copy);
        if (result == VK_SUCCESS)
            result = finish(plugin, &plugin->ring.slots[index]);
        if (result == VK_SUCCESS)
            memcpy(data + done, (const char *)staging->mapped + at, piece);
        done += piece;
    }
    return result;
}

enum heed_status heedi_vk_upload(struct heed_plugin *plugin, const struct vk_region *region,
                                 uint64_t offset, const void *data, uint64_t bytes,
                                 struct heed_error *error) {
    if (bytes == 0)
        return HEED_OK;
    if (region->mapped != NULL) {
        memcpy((char *)region->mapped + offset, data, bytes);
        return HEED_OK;
    }
    pthread_mutex_lock(&plugin->ring.mutex);
    enum heed_status status = prepare(plugin, true, error);
    if (status == HEED_OK)
        status = heedi_vk_result(error, write_pieces(plugin, region, offset, data, bytes),
                                 "a transfer to the device");
    pthread_mutex_unlock(&plugin->ring.mutex);
    return status;
}

enum heed_status heedi_vk_download(struct heed_plugin *plugin, const struct vk_region *region,
                                   uint64_t offset, void *data, uint64_t bytes,
                                   struct heed_error *error) {
    if (bytes == 0)
        return HEED_OK;
    if (region->mapped != NULL) {
        memcpy(data, (const char *)region->mapped + offset, bytes);
        return HEED_OK;
    }
    pthread_mutex_lock(&plugin->ring.mutex);
    enum heed_status status = prepare(plugin, true, error);
    if (status == HEED_OK)
        status = heedi_vk_result(error, read_pieces(plugin, region, offset, data, bytes),
                                 "a transfer from the device");
    pthread_mutex_unlock(&plugin->ring.mutex);
    return status;
}

enum heed_status heedi_vk_clear(struct heed_plugin *plugin, const struct vk_region *region,
                                struct heed_error *error) {
    if (region->mapped != NULL) {
        memset(region->mapped, 0, region->bytes);
        return HEED_OK;
    }
    const struct copy fill = {.from = VK_NULL_HANDLE,
                              .to = region->buffer,
                              .range = {.dstOffset = region->offset, .size = region->bytes}};
    uint32_t index = 0;
    pthread_mutex_lock(&plugin->ring.mutex);
    enum heed_status status = prepare(plugin, false, error);
    if (status == HEED_OK)
        status = heedi_vk_result(error, take_slot(plugin, &index), "clearing device memory");
    if (status == HEED_OK)
        status = heedi_vk_result(error, start(plugin, &plugin->ring.slots[index], &fill),
                                 "clearing device memory");
    pthread_mutex_unlock(&plugin->ring.mutex);
    return status;
}

void heedi_vk_transfers_finish(struct heed_plugin *plugin) {
    pthread_mutex_lock(&plugin->ring.mutex);
    for (uint32_t i = 0; i < VK_RING_SLOTS; i++)
        if (plugin->ring.slots[i].busy &&
            heedi_vk_await(plugin, plugin->ring.slots[i].fence, VK_MOST_WAIT_NS) == VK_SUCCESS)
            plugin->ring.slots[i].busy = false;
    pthread_mutex_unlock(&plugin->ring.mutex);
}

void heedi_vk_ring_destroy(struct heed_plugin *plugin) {
    for (uint32_t i = 0; i < VK_RING_SLOTS; i++)
        plugin->vk.vkDestroyFence(plugin->handle, plugin->ring.slots[i].fence, NULL);
    plugin->vk.vkDestroyCommandPool(plugin->handle, plugin->ring.pool, NULL);
}
