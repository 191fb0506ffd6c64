/* SPDX-License-Identifier: Apache-2.0 */
/* A whole plugin that has a device and claims no node. A file of this folder includes it, spoils
 * one thing, and is built as heed-backend-<file name>.so; the test plugin_abuse loads them all. */
#ifndef HEED_TESTS_PLUGINS_STUB_H
#define HEED_TESTS_PLUGINS_STUB_H

#include "heed/backend.h"

struct heed_plugin {
    const struct heed_host *host;
};

static enum heed_status stub_enumerate(struct heed_device_info *devices, size_t stride,
                                       uint32_t capacity, uint32_t *count,
                                       struct heed_error *error) {
    (void)stride;
    (void)error;
    *count = 1;
    if (capacity > 0) {
        devices->type = HEED_DEVICE_CPU;
        devices->name[0] = 's';
    }
    return HEED_OK;
}

static enum heed_status stub_create(const struct heed_host *host,
                                    const struct heed_plugin_options *options,
                                    struct heed_plugin **plugin, struct heed_error *error) {
    (void)options;
    *plugin = (struct heed_plugin *)host->allocate(host->handle, sizeof **plugin, 64);
    if (*plugin == NULL)
        return (enum heed_status)(error->status = HEED_ERROR_OUT_OF_MEMORY);
    (*plugin)->host = host;
    return HEED_OK;
}

static void stub_destroy(struct heed_plugin *plugin) {
    if (plugin != NULL)
        plugin->host->release(plugin->host->handle, plugin);
}

/* Claims arrive with the verdict NO. */
static enum heed_status stub_query(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                   struct heed_claim *claims, size_t stride,
                                   struct heed_error *error) {
    (void)plugin;
    (void)subgraph;
    (void)claims;
    (void)stride;
    (void)error;
    return HEED_OK;
}

/* None of what follows is reached, because no node is claimed. */
static enum heed_status stub_compile(struct heed_plugin *plugin,
                                     const struct heed_subgraph *subgraph,
                                     struct heed_plugin_program **program,
                                     struct heed_error *error) {
    (void)plugin;
    (void)subgraph;
    (void)program;
    return (enum heed_status)(error->status = HEED_ERROR_UNSUPPORTED);
}

static void stub_program_destroy(struct heed_plugin_program *program) {
    (void)program;
}

static enum heed_status stub_instance_create(struct heed_plugin_program *program,
                                             struct heed_plugin_instance **instance,
                                             struct heed_error *error) {
    (void)program;
    (void)instance;
    return (enum heed_status)(error->status = HEED_ERROR_UNSUPPORTED);
}

static void stub_instance_destroy(struct heed_plugin_instance *instance) {
    (void)instance;
}

static enum heed_status stub_bind(struct heed_plugin_instance *instance, uint32_t binding,
                                  void *memory, struct heed_error *error) {
    (void)instance;
    (void)binding;
    (void)memory;
    return (enum heed_status)(error->status = HEED_ERROR_UNSUPPORTED);
}

static enum heed_status stub_bind_state(struct heed_plugin_instance *instance, uint32_t binding,
                                        struct heed_plugin_state *state, struct heed_error *error) {
    (void)instance;
    (void)binding;
    (void)state;
    return (enum heed_status)(error->status = HEED_ERROR_UNSUPPORTED);
}

static enum heed_status stub_submit(struct heed_plugin_instance *instance,
                                    struct heed_error *error) {
    (void)instance;
    return (enum heed_status)(error->status = HEED_ERROR_UNSUPPORTED);
}

static enum heed_status stub_wait(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                                  struct heed_error *error) {
    (void)instance;
    (void)timeout_ns;
    return (enum heed_status)(error->status = HEED_ERROR_UNSUPPORTED);
}

static enum heed_status stub_state_create(struct heed_plugin *plugin,
                                          const struct heed_tensor_desc *desc,
                                          struct heed_plugin_state **state,
                                          struct heed_error *error) {
    (void)plugin;
    (void)desc;
    (void)state;
    return (enum heed_status)(error->status = HEED_ERROR_UNSUPPORTED);
}

static void stub_state_destroy(struct heed_plugin_state *state) {
    (void)state;
}

static enum heed_status stub_state_write(struct heed_plugin_state *state, size_t offset_bytes,
                                         const void *data, size_t bytes, struct heed_error *error) {
    (void)state;
    (void)offset_bytes;
    (void)data;
    (void)bytes;
    return (enum heed_status)(error->status = HEED_ERROR_UNSUPPORTED);
}

static enum heed_status stub_state_read(struct heed_plugin_state *state, size_t offset_bytes,
                                        void *data, size_t bytes, struct heed_error *error) {
    (void)state;
    (void)offset_bytes;
    (void)data;
    (void)bytes;
    return (enum heed_status)(error->status = HEED_ERROR_UNSUPPORTED);
}

/* The initialiser of a sound table. */
#define STUB_TABLE(plugin_name)                                                                    \
    {                                                                                              \
        .struct_size = (uint32_t)sizeof(struct heed_backend), .abi_version = HEED_ABI_VERSION,     \
        .name = plugin_name, .version = "1.2.3", .description = "a plugin for tests",              \
        .enumerate = stub_enumerate, .create = stub_create, .destroy = stub_destroy,               \
        .query = stub_query, .compile = stub_compile, .program_destroy = stub_program_destroy,     \
        .instance_create = stub_instance_create, .instance_destroy = stub_instance_destroy,        \
        .bind = stub_bind, .bind_state = stub_bind_state, .submit = stub_submit,                   \
        .wait = stub_wait, .state_create = stub_state_create, .state_destroy = stub_state_destroy, \
        .state_write = stub_state_write, .state_read = stub_state_read                             \
    }

#endif
