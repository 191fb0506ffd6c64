/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to hand the device a piece of work and to hear that it is done: measured when a
 * device is opened for the first time, and kept in a text file beside its pipeline cache:
 *
 *     heed-vulkan-submission 1
 *     31250
 *
 * The second line is in nanoseconds. A file that holds anything else is written anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"

static const char magic[] = "heed-vulkan-submission 1\n";

/* More than MOST_NS says that the device was busy with something else. */
enum { WARM = 3, TIMES = 9, MOST_NS = 10000000, PATIENCE_NS = 1000000000 };

struct tools {
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkFence fence;
};

/* Commands without work; drivers have a short way for no commands. */
static VkResult make(struct heed_plugin *plugin, struct tools *tools) {
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .queueFamilyIndex = plugin->device.queue_family};
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    VkResult result = plugin->vk.vkCreateCommandPool(plugin->handle, &pool, NULL, &tools->pool);
    if (result == VK_SUCCESS)
        result = plugin->vk.vkCreateFence(plugin->handle, &fence, NULL, &tools->fence);
    if (result != VK_SUCCESS)
        return result;
    const VkCommandBufferAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = tools->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    result = plugin->vk.vkAllocateCommandBuffers(plugin->handle, &info, &tools->commands);
    if (result == VK_SUCCESS)
        result = plugin->vk.vkBeginCommandBuffer(tools->commands, &begin);
    if (result != VK_SUCCESS)
        return result;
    heedi_vk_barrier(plugin, tools->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                     VK_PIPELINE_STAGE_HOST_BIT);
    return plugin->vk.vkEndCommandBuffer(tools->commands);
}

static VkResult submit(struct heed_plugin *plugin, const struct tools *tools, uint64_t *ns) {
    const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .commandBufferCount = 1,
                               .pCommandBuffers = &tools->commands};
    VkResult result = plugin->vk.vkResetFences(plugin->handle, 1, &tools->fence);
    const uint64_t begin_ns = heedi_vk_now_ns();
    if (result == VK_SUCCESS)
        result = plugin->vk.vkQueueSubmit(plugin->queue, 1, &info, tools->fence);
    if (result == VK_SUCCESS)
        result = heedi_vk_await(plugin, tools->fence, PATIENCE_NS);
    *ns = heedi_vk_now_ns() - begin_ns;
    return result;
}

static int compare(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The median of some; 0: there is none to be had. */
static uint64_t measure(struct heed_plugin *plugin) {
    struct tools tools = {.pool = VK_NULL_HANDLE};
    uint64_t times[TIMES];
    VkResult result = make(plugin, &tools);
    for (int i = -WARM; result == VK_SUCCESS && i < TIMES; i++)
        result = submit(plugin, &tools, &times[i > 0 ? i : 0]);
    if (result == VK_TIMEOUT) /* what is still pending may not be destroyed */
        (void)heedi_vk_await(plugin, tools.fence, VK_MOST_WAIT_NS);
    plugin->vk.vkDestroyFence(plugin->handle, tools.fence, NULL);
    plugin->vk.vkDestroyCommandPool(plugin->handle, tools.pool, NULL);
    if (result != VK_SUCCESS)
        return 0;
    qsort(times, TIMES, sizeof times[0], compare);
    return times[TIMES / 2] <= MOST_NS ? times[TIMES / 2] : 0;
}

uint64_t heedi_vk_submission_read(const struct vk_device *device) {
    char path[VK_PATH_BYTES], text[64] = "", *end = text;
    FILE *file = heedi_vk_cache_path(device, ".submission", path) ? fopen(path, "r") : NULL;
    if (file == NULL)
        return 0;
    const size_t length = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[length] = '\0';
    if (strncmp(text, magic, sizeof magic - 1) != 0)
        return 0;
    const unsigned long long ns = strtoull(text + sizeof magic - 1, &end, 10);
    return strcmp(end, "\n") == 0 && ns <= MOST_NS ? ns : 0;
}

static void keep(const struct heed_plugin *plugin) {
    char path[VK_PATH_BYTES], part[VK_PATH_BYTES + 40];
    if (!heedi_vk_cache_path(&plugin->device, ".submission", path))
        return;
    (void)snprintf(part, sizeof part, "%s.%ld.%p.part", path, heedi_vk_process(),
                   (const void *)plugin);
    FILE *file = fopen(part, "w");
    if (file == NULL)
        return;
    const bool written =
        fprintf(file, "%s%llu\n", magic, (unsigned long long)plugin->submission_ns) > 0;
    if (fclose(file) != 0 || !written || rename(part, path) != 0)
        (void)remove(part);
}

void heedi_vk_submission_open(struct heed_plugin *plugin) {
    plugin->submission_ns = heedi_vk_submission_read(&plugin->device);
    if (plugin->submission_ns != 0 || plugin->fault != NULL)
        return;
    plugin->submission_ns = measure(plugin);
    if (plugin->submission_ns != 0)
        keep(plugin);
}
