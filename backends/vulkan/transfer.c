/* SPDX-License-Identifier: Apache-2.0 */
/* Copies between host and device outside of runs: weights once, states for tests and recovery. */
#include <string.h>

#include "vulkan.h"

/* Records by `record`, submits and waits. */
static enum heed_status run_once(struct heed_plugin *plugin,
                                 void (*record)(struct heed_plugin *plugin,
                                                VkCommandBuffer commands, void *arg),
                                 void *arg, struct heed_error *error) {
    const struct VolkDeviceTable *vk = &plugin->vk;
    VkCommandPool pool = VK_NULL_HANDLE;
    VkCommandBuffer commands = VK_NULL_HANDLE;
    VkFence fence = VK_NULL_HANDLE;
    bool submitted = false;
    const VkCommandPoolCreateInfo pool_info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
        .queueFamilyIndex = plugin->device.queue_family,
    };
    const VkFenceCreateInfo fence_info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    const VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    VkResult result = VK_TRY(plugin, vkCreateCommandPool, plugin->handle, &pool_info, NULL, &pool);
    if (result == VK_SUCCESS) {
        const VkCommandBufferAllocateInfo info = {
            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
            .commandPool = pool,
            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
            .commandBufferCount = 1,
        };
        result = VK_TRY(plugin, vkAllocateCommandBuffers, plugin->handle, &info, &commands);
    }
    if (result == VK_SUCCESS)
        result = VK_TRY(plugin, vkCreateFence, plugin->handle, &fence_info, NULL, &fence);
    if (result == VK_SUCCESS)
        result = VK_TRY(plugin, vkBeginCommandBuffer, commands, &begin);
    if (result == VK_SUCCESS) {
        record(plugin, commands, arg);
        result = VK_TRY(plugin, vkEndCommandBuffer, commands);
    }
    if (result == VK_SUCCESS) {
        const VkSubmitInfo submit = {
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .commandBufferCount = 1,
            .pCommandBuffers = &commands,
        };
        pthread_mutex_lock(&plugin->queue_mutex);
        result = VK_TRY(plugin, vkQueueSubmit, plugin->queue, 1, &submit, fence);
        pthread_mutex_unlock(&plugin->queue_mutex);
        submitted = result == VK_SUCCESS;
    }
    if (result == VK_SUCCESS)
        result =
            VK_TRY(plugin, vkWaitForFences, plugin->handle, 1, &fence, VK_TRUE, VK_MOST_WAIT_NS);
    if (submitted && result != VK_SUCCESS) /* what it uses may not go before it has ended */
        (void)vk->vkWaitForFences(plugin->handle, 1, &fence, VK_TRUE, VK_MOST_WAIT_NS);
    vk->vkDestroyFence(plugin->handle, fence, NULL);
    vk->vkDestroyCommandPool(plugin->handle, pool, NULL);
    return heedi_vk_result(error, result, "a transfer");
}

struct copy {
    VkBuffer from, to;
    VkBufferCopy range;
};

/* What comes later sees what was copied, and the copy sees what was written before. */
static void record_copy(struct heed_plugin *plugin, VkCommandBuffer commands, void *arg) {
    const struct copy *copy = arg;
    const VkMemoryBarrier before = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
    };
    const VkMemoryBarrier after = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_HOST_READ_BIT | VK_ACCESS_SHADER_READ_BIT |
                         VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT,
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

enum { STAGING_BYTES = 8 << 20 };

/* Copies in pieces through a staging region; `data` is read or written. */
static enum heed_status stage(struct heed_plugin *plugin, const struct vk_region *region,
                              uint64_t offset, char *data, uint64_t bytes, bool up,
                              struct heed_error *error) {
    struct vk_region staging;
    enum heed_status status = heedi_vk_allocate(
        plugin, VK_MEMORY_STAGING, bytes < STAGING_BYTES ? bytes : STAGING_BYTES, &staging, error);
    for (uint64_t done = 0; status == HEED_OK && done < bytes;) {
        const uint64_t left = bytes - done, piece = left < staging.bytes ? left : staging.bytes;
        const uint64_t device = region->offset + offset + done;
        struct copy copy = {
            .from = up ? staging.buffer : region->buffer,
            .to = up ? region->buffer : staging.buffer,
            .range = {.srcOffset = up ? staging.offset : device,
                      .dstOffset = up ? device : staging.offset,
                      .size = piece},
        };
        if (up)
            memcpy(staging.mapped, data + done, piece);
        status = run_once(plugin, record_copy, &copy, error);
        if (status == HEED_OK && !up)
            memcpy(data + done, staging.mapped, piece);
        done += piece;
    }
    heedi_vk_release(plugin, &staging);
    return status;
}

enum heed_status heedi_vk_upload(struct heed_plugin *plugin, const struct vk_region *region,
                                 uint64_t offset, const void *data, uint64_t bytes,
                                 struct heed_error *error) {
    if (region->mapped == NULL)
        return stage(plugin, region, offset, (char *)(uintptr_t)data, bytes, true, error);
    if (bytes > 0)
        memcpy((char *)region->mapped + offset, data, bytes);
    return HEED_OK;
}

enum heed_status heedi_vk_download(struct heed_plugin *plugin, const struct vk_region *region,
                                   uint64_t offset, void *data, uint64_t bytes,
                                   struct heed_error *error) {
    if (region->mapped == NULL)
        return stage(plugin, region, offset, data, bytes, false, error);
    if (bytes > 0)
        memcpy(data, (const char *)region->mapped + offset, bytes);
    return HEED_OK;
}

enum heed_status heedi_vk_clear(struct heed_plugin *plugin, const struct vk_region *region,
                                struct heed_error *error) {
    if (region->mapped != NULL) {
        memset(region->mapped, 0, region->bytes);
        return HEED_OK;
    }
    struct copy fill = {.from = VK_NULL_HANDLE,
                        .to = region->buffer,
                        .range = {.dstOffset = region->offset, .size = region->bytes}};
    return run_once(plugin, record_copy, &fill, error);
}
