/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin built far from Heed's sources: it adds f32 tensors of equal shape, and nothing else.
 *
 *     cc -shared -fPIC adder.c $(pkg-config --cflags heed) -o heed-backend-adder.so
 *
 * A program is its list of additions. Each operand lies in one of three places: in memory that the
 * host binds, in the arena of the instance, or in a constant. */
#include <heed/backend.h>
#include <stdlib.h>

struct operand {
    int32_t binding;     /* -1: not bound */
    int64_t arena_bytes; /* offset, where not bound; -1: a constant */
    const float *constant;
    int64_t offset_elems;
};
struct addition {
    struct operand a, b, y;
    int64_t elems;
};
struct heed_plugin_program {
    struct addition *additions;
    uint32_t count, bindings;
    uint64_t arena_bytes;
};
struct heed_plugin_instance {
    const struct heed_plugin_program *program;
    void **bound;
    char *arena;
};
struct heed_plugin {
    const struct heed_host *host;
};
struct heed_plugin_state {
    int unused; /* additions keep no state */
};

static enum heed_status fail(struct heed_error *error, enum heed_status status, const char *why) {
    size_t i = 0;
    error->status = (int32_t)status;
    for (; why[i] != '\0'; i++)
        error->message[i] = why[i];
    error->message[i] = '\0';
    return status;
}

static enum heed_status enumerate(struct heed_device_info *devices, size_t stride,
                                  uint32_t capacity, uint32_t *count, struct heed_error *error) {
    (void)stride;
    (void)error;
    *count = 1;
    if (capacity > 0) {
        devices->type = HEED_DEVICE_CPU;
        devices->flags = HEED_DEVICE_HOST_MEMORY;
        devices->name[0] = '+';
        devices->name[1] = '\0';
        devices->numeric.unit_roundoff = 5.9604644775390625e-08f; /* 2^-24 */
        devices->numeric.accumulator = HEED_F32;
    }
    return HEED_OK;
}

static enum heed_status create(const struct heed_host *host,
                               const struct heed_plugin_options *options,
                               struct heed_plugin **plugin, struct heed_error *error) {
    (void)options;
    *plugin = malloc(sizeof **plugin);
    if (*plugin == NULL)
        return fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    (*plugin)->host = host;
    return HEED_OK;
}

static void destroy(struct heed_plugin *plugin) {
    free(plugin);
}

static int same_shape(const struct heed_tensor_desc *a, const struct heed_tensor_desc *b) {
    int same = a->rank == b->rank && a->dtype == HEED_F32 && b->dtype == HEED_F32 &&
               heed_desc_contiguous(a) && heed_desc_contiguous(b);
    for (uint32_t i = 0; same && i < a->rank; i++)
        same = a->dims[i] == b->dims[i];
    return same;
}

static enum heed_status query(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                              struct heed_claim *claims, size_t stride, struct heed_error *error) {
    (void)plugin;
    (void)error;
    for (uint32_t i = 0; i < subgraph->node_count; i++) {
        struct heed_claim *claim = (void *)((char *)claims + i * stride);
        const struct heed_subgraph_node *node = heed_subgraph_node_at(subgraph, i);
        claim->verdict = HEED_VERDICT_NO;
        if (node->op == HEED_OP_ADD &&
            same_shape(&heed_subgraph_tensor_at(subgraph, node->inputs[0])->desc,
                       &heed_subgraph_tensor_at(subgraph, node->outputs[0])->desc) &&
            same_shape(&heed_subgraph_tensor_at(subgraph, node->inputs[1])->desc,
                       &heed_subgraph_tensor_at(subgraph, node->outputs[0])->desc))
            claim->verdict = HEED_VERDICT_YES;
    }
    return HEED_OK;
}

static struct operand locate(const struct heed_subgraph *subgraph, int32_t index) {
    const struct heed_subgraph_tensor *tensor = heed_subgraph_tensor_at(subgraph, index);
    const struct heed_subgraph_tensor *owner = heed_subgraph_tensor_at(subgraph, tensor->storage);
    const struct operand operand = {owner->binding, owner->arena_offset_bytes, owner->data,
                                    tensor->offset_elems};
    return operand;
}

static void program_destroy(struct heed_plugin_program *program) {
    if (program != NULL)
        free(program->additions);
    free(program);
}

static enum heed_status compile(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                struct heed_plugin_program **result, struct heed_error *error) {
    struct heed_plugin_program *program = calloc(1, sizeof *program);
    (void)plugin;
    if (program != NULL)
        program->additions = calloc(subgraph->node_count + 1u, sizeof *program->additions);
    if (program == NULL || program->additions == NULL) {
        program_destroy(program);
        return fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    }
    program->count = subgraph->node_count;
    program->bindings = subgraph->binding_count;
    program->arena_bytes = subgraph->arena_bytes;
    for (uint32_t i = 0; i < subgraph->node_count; i++) {
        const struct heed_subgraph_node *node = heed_subgraph_node_at(subgraph, i);
        struct addition *addition = &program->additions[i];
        addition->a = locate(subgraph, node->inputs[0]);
        addition->b = locate(subgraph, node->inputs[1]);
        addition->y = locate(subgraph, node->outputs[0]);
        addition->elems =
            heed_desc_elems(&heed_subgraph_tensor_at(subgraph, node->outputs[0])->desc);
    }
    *result = program;
    return HEED_OK;
}

static void instance_destroy(struct heed_plugin_instance *instance) {
    if (instance != NULL) {
        free(instance->bound);
        free(instance->arena);
    }
    free(instance);
}

static enum heed_status instance_create(struct heed_plugin_program *program,
                                        struct heed_plugin_instance **result,
                                        struct heed_error *error) {
    struct heed_plugin_instance *instance = calloc(1, sizeof *instance);
    if (instance != NULL) {
        instance->program = program;
        instance->bound = calloc(program->bindings + 1u, sizeof *instance->bound);
        instance->arena = malloc(program->arena_bytes + 1u);
    }
    if (instance == NULL || instance->bound == NULL || instance->arena == NULL) {
        instance_destroy(instance);
        return fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    }
    *result = instance;
    return HEED_OK;
}

static enum heed_status bind(struct heed_plugin_instance *instance, uint32_t binding, void *memory,
                             struct heed_error *error) {
    if (binding >= instance->program->bindings)
        return fail(error, HEED_ERROR_INVALID_ARGUMENT, "there is no such binding");
    instance->bound[binding] = memory;
    return HEED_OK;
}

static float *address(const struct heed_plugin_instance *instance, const struct operand *operand) {
    char *base = (char *)operand->constant;
    if (operand->binding >= 0)
        base = instance->bound[operand->binding];
    else if (operand->arena_bytes >= 0)
        base = instance->arena + operand->arena_bytes;
    return (float *)(void *)base + operand->offset_elems;
}

static enum heed_status submit(struct heed_plugin_instance *instance, struct heed_error *error) {
    (void)error;
    for (uint32_t i = 0; i < instance->program->count; i++) {
        const struct addition *addition = &instance->program->additions[i];
        const float *a = address(instance, &addition->a), *b = address(instance, &addition->b);
        float *y = address(instance, &addition->y);
        for (int64_t j = 0; j < addition->elems; j++)
            y[j] = a[j] + b[j];
    }
    return HEED_OK;
}

static enum heed_status wait(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                             struct heed_error *error) {
    (void)instance;
    (void)timeout_ns;
    (void)error;
    return HEED_OK;
}

static enum heed_status state_create(struct heed_plugin *plugin,
                                     const struct heed_tensor_desc *desc,
                                     struct heed_plugin_state **state, struct heed_error *error) {
    (void)plugin;
    (void)desc;
    (void)state;
    return fail(error, HEED_ERROR_UNSUPPORTED, "additions keep no state");
}

static void state_destroy(struct heed_plugin_state *state) {
    free(state);
}

static enum heed_status bind_state(struct heed_plugin_instance *instance, uint32_t binding,
                                   struct heed_plugin_state *state, struct heed_error *error) {
    (void)instance;
    (void)binding;
    (void)state;
    return fail(error, HEED_ERROR_UNSUPPORTED, "additions keep no state");
}

static enum heed_status state_write(struct heed_plugin_state *state, size_t offset_bytes,
                                    const void *data, size_t bytes, struct heed_error *error) {
    (void)state;
    (void)offset_bytes;
    (void)data;
    (void)bytes;
    return fail(error, HEED_ERROR_UNSUPPORTED, "additions keep no state");
}

static enum heed_status state_read(struct heed_plugin_state *state, size_t offset_bytes, void *data,
                                   size_t bytes, struct heed_error *error) {
    (void)state;
    (void)offset_bytes;
    (void)data;
    (void)bytes;
    return fail(error, HEED_ERROR_UNSUPPORTED, "additions keep no state");
}

HEED_BACKEND_ENTRY(adder) {
    static const struct heed_backend table = {
        .struct_size = sizeof table,
        .abi_version = HEED_ABI_VERSION,
        .name = "adder",
        .version = "1.0",
        .description = "adds",
        .enumerate = enumerate,
        .create = create,
        .destroy = destroy,
        .query = query,
        .compile = compile,
        .program_destroy = program_destroy,
        .instance_create = instance_create,
        .instance_destroy = instance_destroy,
        .bind = bind,
        .bind_state = bind_state,
        .submit = submit,
        .wait = wait,
        .state_create = state_create,
        .state_destroy = state_destroy,
        .state_write = state_write,
        .state_read = state_read,
    };
    return HEED_ABI_VERSION_MAJOR(abi_version) == HEED_ABI_MAJOR ? &table : NULL;
}
