/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the device. One that neither answers nor is lost is waited for VK_MOST_WAIT_NS in
 * all, however many fences there are: each wait in vain leaves the next ones less, until one is not
 * in vain. */
#include "vulkan.h"

/* A device that seems to hang, of a test: nothing is given up that it still works on. */
static VkResult pretend(const struct heed_plugin *plugin, VkFence fence, uint64_t timeout_ns) {
    (void)plugin->vk.vkWaitForFences(plugin->handle, 1, &fence, VK_TRUE, VK_MOST_WAIT_NS);
    __atomic_fetch_add(&plugin->fault->waited_ns, timeout_ns, __ATOMIC_RELAXED);
    return VK_TIMEOUT;
}

VkResult heedi_vk_await(struct heed_plugin *plugin, VkFence fence, uint64_t timeout_ns) {
    const uint64_t spent = __atomic_load_n(&plugin->waited_ns, __ATOMIC_RELAXED);
    const uint64_t left = spent < VK_MOST_WAIT_NS ? VK_MOST_WAIT_NS - spent : 0;
    if (timeout_ns > left)
        timeout_ns = left;
    const bool hangs = plugin->fault != NULL && plugin->fault->hangs &&
                       __atomic_load_n(&plugin->fault->left, __ATOMIC_RELAXED) < 1;
    const VkResult result =
        hangs ? pretend(plugin, fence, timeout_ns)
              : plugin->vk.vkWaitForFences(plugin->handle, 1, &fence, VK_TRUE, timeout_ns);
    if (result == VK_TIMEOUT)
        __atomic_fetch_add(&plugin->waited_ns, timeout_ns, __ATOMIC_RELAXED);
    else if (result == VK_SUCCESS)
        __atomic_store_n(&plugin->waited_ns, 0, __ATOMIC_RELAXED);
    return result;
}

bool heedi_vk_hangs(const struct heed_plugin *plugin) {
    return __atomic_load_n(&plugin->waited_ns, __ATOMIC_RELAXED) >= VK_MOST_WAIT_NS;
}
