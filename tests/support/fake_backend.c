/* SPDX-License-Identifier: Apache-2.0 */
/* Two configurable backends that compute through the reference implementations. */
#include "tests/support/fake_backend.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/os.h"
#include "runtime/ops/op.h"

struct fake_config fake_a, fake_b;

struct heed_plugin {
    struct fake_config *config;
    const struct heed_host *host;
};

struct heed_plugin_state {
    struct heed_plugin *plugin;
    size_t bytes;
    unsigned char *memory;
};

/* A node with all that running it takes. */
struct fake_node {
    struct heedi_call call;
    struct heed_tensor_desc in[HEED_MAX_INPUTS];
    uint64_t attrs[32];
    int32_t inputs[HEED_MAX_INPUTS], outputs[HEED_MAX_OUTPUTS];
    uint32_t index;
    struct heed_prepared *prepared;
    const void *packed; /* replaces input 1 */
};

struct fake_tensor {
    int32_t storage;
    uint32_t role;
    int32_t binding;
    size_t offset_bytes;
    int64_t arena_offset;
    const void *data;
    size_t bytes; /* of the tensor */
};

struct heed_plugin_program {
    struct heed_plugin *plugin;
    struct fake_node *nodes;
    struct fake_tensor *tensors;
    uint32_t node_count, tensor_count, binding_count;
    size_t arena_bytes;
    size_t scratch_elems; /* largest output */
};

enum { FAKE_MOST_STEPS = 4 }; /* carries and stacked outputs */

struct heed_plugin_instance {
    struct heed_plugin_program *program;
    unsigned char *arena;
    double *scratch[HEED_MAX_OUTPUTS];
    void **bound;
    struct heed_profile_entry *entries;
    uint32_t entry_count;
    bool profile_on;
    struct heed_counter counter;
    struct heed_plugin_steps steps;
    struct heed_plugin_carry carries[FAKE_MOST_STEPS];
    uint32_t stacked[FAKE_MOST_STEPS];
    void *stack[FAKE_MOST_STEPS];
};

static enum heed_status fail(struct heed_error *error, enum heed_status status, const char *text) {
    error->status = (int32_t)status;
    snprintf(error->message, sizeof error->message, "%s", text);
    return status;
}

static void *take(struct heed_plugin *plugin, size_t bytes) {
    void *memory = plugin->host->allocate(plugin->host->handle, bytes + 1, 64);
    if (memory != NULL) {
        memset(memory, 0, bytes + 1);
        atomic_fetch_add(&plugin->config->live, 1);
    }
    return memory;
}

static void give(struct heed_plugin *plugin, void *memory) {
    if (memory == NULL)
        return;
    atomic_fetch_sub(&plugin->config->live, 1);
    plugin->host->release(plugin->host->handle, memory);
}

/* ---- the device ---- */

static enum heed_status enumerate(const struct fake_config *config,
                                  struct heed_device_info *devices, uint32_t capacity,
                                  uint32_t *count, struct heed_error *error) {
    *count = config->no_device ? 0 : 1;
    if (config->no_device)
        fail(error, HEED_OK, "unplugged");
    if (*count == 0 || capacity == 0)
        return HEED_OK;
    devices->type = config->device_type;
    devices->preference = config->preference;
    devices->plan_alignment = config->plan_alignment;
    devices->flags = HEED_DEVICE_HOST_MEMORY;
    snprintf(devices->name, sizeof devices->name, "fake device");
    return HEED_OK;
}

static enum heed_status create(struct fake_config *config, const struct heed_host *host,
                               struct heed_plugin **plugin, struct heed_error *error) {
    *plugin = host->allocate(host->handle, sizeof **plugin, 64);
    if (*plugin == NULL)
        return fail(error, HEED_ERROR_OUT_OF_MEMORY, "no memory for a fake");
    **plugin = (struct heed_plugin){config, host};
    atomic_fetch_add(&config->creates, 1);
    atomic_fetch_add(&config->live, 1);
    return HEED_OK;
}

static void destroy(struct heed_plugin *plugin) {
    give(plugin, plugin);
}

static enum heed_status query(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                              struct heed_claim *claims, size_t stride, struct heed_error *error) {
    struct fake_config *config = plugin->config;
    atomic_fetch_add(&config->queries, 1);
    if (config->query_status != HEED_OK)
        return fail(error, config->query_status, "query told to fail");
    for (uint32_t i = 0; i < subgraph->node_count; i++) {
        const struct heed_subgraph_node *node = heed_subgraph_node_at(subgraph, i);
        struct heed_claim *claim = (void *)((char *)claims + i * stride);
        claim->verdict = config->runs[node->op] ? HEED_VERDICT_YES : HEED_VERDICT_NO;
        if (claim->verdict == HEED_VERDICT_NO)
            snprintf(claim->reason, sizeof claim->reason, "no %s here",
                     heed_op_name((enum heed_op)node->op));
        for (uint32_t k = 0; k < node->input_count; k++)
            if (config->contiguous[node->op] && node->inputs[k] >= 0 &&
                !heed_desc_contiguous(&heed_subgraph_tensor_at(subgraph, node->inputs[k])->desc)) {
                claim->verdict = HEED_VERDICT_CONTIGUOUS;
                claim->contiguous_inputs |= 1u << k;
            }
    }
    return HEED_OK;
}

/* ---- programs ---- */

static void destroy_packed(void *object) {
    struct heed_plugin **header = object;
    give(*header, object);
}

/* A header of 64 bytes that names the plugin, then the same elements. */
static enum heed_status pack(void *arg, const struct heed_tensor_desc *desc, const void *data,
                             void **object, size_t *bytes, struct heed_error *error) {
    struct heed_plugin *plugin = arg;
    atomic_fetch_add(&plugin->config->prepares, 1);
    *bytes = (size_t)heed_desc_elems(desc) * heed_dtype_bytes(desc->dtype);
    char *memory = take(plugin, 64 + *bytes);
    if (memory == NULL)
        return fail(error, HEED_ERROR_OUT_OF_MEMORY, "no memory to pack");
    memcpy(memory, &plugin, sizeof plugin);
    memcpy(memory + 64, data, *bytes);
    *object = memory;
    return HEED_OK;
}

static void program_destroy(struct heed_plugin_program *program) {
    if (program == NULL)
        return;
    struct heed_plugin *plugin = program->plugin;
    for (uint32_t i = 0; program->nodes != NULL && i < program->node_count; i++)
        plugin->host->prepared_release(plugin->host->handle, program->nodes[i].prepared);
    give(plugin, program->nodes);
    give(plugin, program->tensors);
    give(plugin, program);
}

static enum heed_status compile_node(struct heed_plugin_program *program,
                                     const struct heed_subgraph *subgraph, uint32_t index,
                                     struct heed_error *error) {
    struct heed_plugin *plugin = program->plugin;
    const struct heed_subgraph_node *from = heed_subgraph_node_at(subgraph, index);
    struct fake_node *node = &program->nodes[index];
    node->index = index;
    node->call = (struct heedi_call){.op = (enum heed_op)from->op,
                                     .name = from->name,
                                     .attrs = from->attrs != NULL ? node->attrs : NULL,
                                     .input_count = from->input_count,
                                     .error = error};
    if (from->attrs != NULL)
        memcpy(node->attrs, from->attrs, from->attrs_size);
    memcpy(node->inputs, from->inputs, sizeof node->inputs);
    memcpy(node->outputs, from->outputs, sizeof node->outputs);
    for (uint32_t i = 0; i < from->input_count; i++) {
        if (from->inputs[i] < 0)
            continue;
        const struct heed_subgraph_tensor *tensor =
            heed_subgraph_tensor_at(subgraph, from->inputs[i]);
        node->in[i] = tensor->desc;
        node->call.inputs[i] = &node->in[i];
        node->call.input_names[i] = tensor->name;
        if (plugin->config->packs && from->op == HEED_OP_MATMUL && i == 1 &&
            tensor->role == HEED_ROLE_CONSTANT) {
            void *object = NULL;
            const struct heed_subgraph_tensor *owner =
                heed_subgraph_tensor_at(subgraph, tensor->storage);
            const enum heed_status status = plugin->host->prepared_acquire(
                plugin->host->handle, owner->weight_id, "fake", pack, destroy_packed, plugin,
                plugin->config->keep_source, &node->prepared, &object, error);
            if (status != HEED_OK)
                return status;
            node->packed = (const char *)object + 64;
        }
    }
    const enum heed_status status = heedi_op_infer(&node->call);
    for (uint32_t i = 0; status == HEED_OK && i < node->call.output_count; i++)
        if ((size_t)heed_desc_elems(&node->call.outputs[i]) > program->scratch_elems)
            program->scratch_elems = (size_t)heed_desc_elems(&node->call.outputs[i]);
    return status;
}

static enum heed_status compile(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                struct heed_plugin_program **program, struct heed_error *error) {
    struct fake_config *config = plugin->config;
    atomic_fetch_add(&config->compiles, 1);
    for (uint32_t i = 0; config->compile_status != HEED_OK && i < subgraph->node_count; i++)
        if (config->compile_fails_on == HEED_OP_NONE ||
            heed_subgraph_node_at(subgraph, i)->op == config->compile_fails_on)
            return fail(error, config->compile_status, "compile told to fail");
    struct heed_plugin_program *made = take(plugin, sizeof *made);
    if (made == NULL)
        return fail(error, HEED_ERROR_OUT_OF_MEMORY, "no memory for a program");
    *made = (struct heed_plugin_program){.plugin = plugin,
                                         .tensor_count = subgraph->tensor_count,
                                         .binding_count = subgraph->binding_count,
                                         .arena_bytes = (size_t)subgraph->arena_bytes};
    enum heed_status status = HEED_ERROR_OUT_OF_MEMORY;
    made->nodes = take(plugin, subgraph->node_count * sizeof *made->nodes);
    made->tensors = take(plugin, subgraph->tensor_count * sizeof *made->tensors);
    if (made->nodes == NULL || made->tensors == NULL) {
        fail(error, status, "no memory for a program");
        goto fail;
    }
    for (uint32_t t = 0; t < subgraph->tensor_count; t++) {
        const struct heed_subgraph_tensor *from = heed_subgraph_tensor_at(subgraph, (int32_t)t);
        const size_t element = heed_dtype_bytes(from->desc.dtype);
        made->tensors[t] = (struct fake_tensor){from->storage,
                                                from->role,
                                                from->binding,
                                                (size_t)from->offset_elems * element,
                                                from->arena_offset_bytes,
                                                from->data,
                                                (size_t)heed_desc_elems(&from->desc) * element};
    }
    for (uint32_t i = 0; i < subgraph->node_count; i++) {
        made->node_count = i + 1;
        status = compile_node(made, subgraph, i, error);
        if (status != HEED_OK)
            goto fail;
    }
    *program = made;
    return HEED_OK;
fail:
    program_destroy(made);
    return status;
}

/* ---- instances ---- */

static void instance_destroy(struct heed_plugin_instance *instance) {
    if (instance == NULL)
        return;
    struct heed_plugin *plugin = instance->program->plugin;
    give(plugin, instance->arena);
    for (uint32_t i = 0; i < HEED_MAX_OUTPUTS; i++)
        give(plugin, instance->scratch[i]);
    give(plugin, instance->bound);
    give(plugin, instance->entries);
    give(plugin, instance);
}

static enum heed_status instance_create(struct heed_plugin_program *program,
                                        struct heed_plugin_instance **instance,
                                        struct heed_error *error) {
    struct heed_plugin *plugin = program->plugin;
    if (plugin->config->instance_status != HEED_OK)
        return fail(error, plugin->config->instance_status, "instance told to fail");
    struct heed_plugin_instance *made = take(plugin, sizeof *made);
    if (made == NULL)
        return fail(error, HEED_ERROR_OUT_OF_MEMORY, "no memory for an instance");
    made->program = program;
    made->arena = take(plugin, program->arena_bytes);
    made->bound = take(plugin, program->binding_count * sizeof *made->bound);
    made->entries = take(plugin, program->node_count * sizeof *made->entries);
    bool complete = made->arena != NULL && made->bound != NULL && made->entries != NULL;
    for (uint32_t i = 0; i < HEED_MAX_OUTPUTS; i++) {
        made->scratch[i] = take(plugin, program->scratch_elems * sizeof *made->scratch[i]);
        complete = complete && made->scratch[i] != NULL;
    }
    if (!complete) {
        instance_destroy(made);
        return fail(error, HEED_ERROR_OUT_OF_MEMORY, "no memory for an instance");
    }
    *instance = made;
    return HEED_OK;
}

static enum heed_status bind(struct heed_plugin_instance *instance, uint32_t binding, void *memory,
                             struct heed_error *error) {
    if (binding >= instance->program->binding_count || (uintptr_t)memory % 64 != 0)
        return fail(error, HEED_ERROR_INVALID_ARGUMENT, "a bad binding");
    instance->bound[binding] = memory;
    return HEED_OK;
}

static enum heed_status bind_state(struct heed_plugin_instance *instance, uint32_t binding,
                                   struct heed_plugin_state *state, struct heed_error *error) {
    return bind(instance, binding, state->memory, error);
}

static unsigned char *address(const struct heed_plugin_instance *instance, int32_t index) {
    const struct fake_tensor *tensor = &instance->program->tensors[index];
    const struct fake_tensor *owner = &instance->program->tensors[tensor->storage];
    unsigned char *base;
    if (owner->role == HEED_ROLE_CONSTANT) {
        memcpy(&base, &owner->data, sizeof base); /* only read */
        return base + tensor->offset_bytes;
    }
    base = owner->role == HEED_ROLE_INTERNAL ? instance->arena + owner->arena_offset
                                             : instance->bound[owner->binding];
    return base + tensor->offset_bytes;
}

static void store(const struct heed_tensor_desc *desc, const double *values, void *target) {
    for (int64_t i = 0; i < heed_desc_elems(desc); i++)
        if (desc->dtype == HEED_I32)
            ((int32_t *)target)[i] = (int32_t)values[i];
        else
            ((float *)target)[i] = (float)values[i];
}

static void run_node(struct heed_plugin_instance *instance, const struct fake_node *node) {
    struct heedi_reference reference = {.call = &node->call};
    for (uint32_t i = 0; i < node->call.input_count; i++)
        if (node->inputs[i] >= 0)
            reference.data[i] =
                i == 1 && node->packed != NULL ? node->packed : address(instance, node->inputs[i]);
    for (uint32_t i = 0; i < HEED_MAX_OUTPUTS; i++)
        reference.out[i] = instance->scratch[i];
    heedi_op_find(node->call.op)->reference(&reference);
    for (uint32_t i = 0; i < node->call.output_count; i++)
        store(&node->call.outputs[i], instance->scratch[i], address(instance, node->outputs[i]));
}

static enum heed_status submit(struct heed_plugin_instance *instance, struct heed_error *error) {
    const struct heed_plugin_program *program = instance->program;
    struct fake_config *config = program->plugin->config;
    if (config->run_status != HEED_OK && atomic_load(&config->runs_done) >= config->runs_until_then)
        return fail(error, config->run_status, "run told to fail");
    memset(instance->arena, 0xff, program->arena_bytes); /* NaN in f32 */
    instance->entry_count = 0;
    for (uint32_t i = 0; i < program->node_count; i++) {
        const uint64_t begin = instance->profile_on ? heedi_os_now_ns() : 0;
        run_node(instance, &program->nodes[i]);
        if (instance->profile_on)
            instance->entries[instance->entry_count++] =
                (struct heed_profile_entry){.struct_size = (uint32_t)sizeof *instance->entries,
                                            .node = i,
                                            .begin_ns = begin,
                                            .end_ns = heedi_os_now_ns(),
                                            .kernel = "reference"};
    }
    atomic_fetch_add(&config->runs_done, 1);
    return HEED_OK;
}

static enum heed_status wait_done(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                                  struct heed_error *error) {
    (void)instance;
    (void)timeout_ns;
    (void)error;
    return HEED_OK;
}

/* ---- states ---- */

static enum heed_status state_create(struct heed_plugin *plugin,
                                     const struct heed_tensor_desc *desc,
                                     struct heed_plugin_state **state, struct heed_error *error) {
    struct heed_plugin_state *made = take(plugin, sizeof *made);
    if (made == NULL)
        return fail(error, HEED_ERROR_OUT_OF_MEMORY, "no memory for a state");
    made->plugin = plugin;
    made->bytes = (size_t)heed_desc_elems(desc) * heed_dtype_bytes(desc->dtype);
    made->memory = take(plugin, made->bytes);
    if (made->memory == NULL) {
        give(plugin, made);
        return fail(error, HEED_ERROR_OUT_OF_MEMORY, "no memory for a state");
    }
    *state = made;
    return HEED_OK;
}

static void state_destroy(struct heed_plugin_state *state) {
    if (state == NULL)
        return;
    struct heed_plugin *plugin = state->plugin;
    give(plugin, state->memory);
    give(plugin, state);
}

static enum heed_status state_write(struct heed_plugin_state *state, size_t offset,
                                    const void *data, size_t bytes, struct heed_error *error) {
    (void)error;
    memcpy(state->memory + offset, data, bytes);
    return HEED_OK;
}

static enum heed_status state_read(struct heed_plugin_state *state, size_t offset, void *data,
                                   size_t bytes, struct heed_error *error) {
    (void)error;
    memcpy(data, state->memory + offset, bytes);
    return HEED_OK;
}

/* ---- profile ---- */

static void profile_enable(struct heed_plugin_instance *instance, uint32_t on) {
    instance->profile_on = on != 0;
}

static uint32_t profile_entries(struct heed_plugin_instance *instance,
                                const struct heed_profile_entry **entries) {
    *entries = instance->entries;
    return instance->entry_count;
}

static const struct heed_profile_extension profile = {(uint32_t)sizeof profile, profile_enable,
                                                      profile_entries};

/* ---- steps and counters ---- */

static enum heed_status steps_configure(struct heed_plugin_instance *instance,
                                        const struct heed_plugin_steps *steps,
                                        struct heed_error *error) {
    const struct fake_config *config = instance->program->plugin->config;
    if (config->steps_status != HEED_OK)
        return fail(error, config->steps_status, "no steps");
    if (steps->carry_count > FAKE_MOST_STEPS || steps->stacked_count > FAKE_MOST_STEPS)
        return fail(error, HEED_ERROR_UNSUPPORTED, "too many");
    instance->steps = *steps;
    memcpy(instance->carries, steps->carries, steps->carry_count * sizeof *steps->carries);
    memcpy(instance->stacked, steps->stacked, steps->stacked_count * sizeof *steps->stacked);
    memcpy(instance->stack, steps->memory, steps->stacked_count * sizeof *steps->memory);
    return HEED_OK;
}

static size_t bytes_bound(const struct heed_plugin_instance *instance, uint32_t binding) {
    const struct heed_plugin_program *program = instance->program;
    size_t bytes = 0;
    for (uint32_t i = 0; i < program->tensor_count; i++)
        if (program->tensors[i].storage == (int32_t)i &&
            program->tensors[i].binding == (int32_t)binding)
            bytes = program->tensors[i].bytes;
    return bytes;
}

static enum heed_status steps_submit(struct heed_plugin_instance *instance, uint32_t count,
                                     struct heed_error *error) {
    for (uint32_t step = 0; step < count; step++) {
        const enum heed_status status = submit(instance, error);
        if (status != HEED_OK)
            return status;
        for (uint32_t i = 0; i < instance->steps.stacked_count; i++) {
            const size_t bytes = bytes_bound(instance, instance->stacked[i]);
            memcpy((char *)instance->stack[i] + step * bytes, instance->bound[instance->stacked[i]],
                   bytes);
        }
        for (uint32_t i = 0; i < instance->steps.carry_count; i++)
            memcpy(instance->bound[instance->carries[i].input],
                   instance->bound[instance->carries[i].output],
                   bytes_bound(instance, instance->carries[i].input));
    }
    atomic_fetch_add(&instance->program->plugin->config->series_done, 1);
    return HEED_OK;
}

static uint64_t steps_submission_ns(struct heed_plugin *plugin) {
    return plugin->config->submission_ns;
}

static const struct heed_steps_extension steps = {(uint32_t)sizeof steps, steps_configure,
                                                  steps_submit, steps_submission_ns};

static uint32_t read_counters(struct heed_plugin_instance *instance,
                              const struct heed_counter **counters) {
    const struct fake_config *config = instance->program->plugin->config;
    instance->counter = (struct heed_counter){
        .struct_size = (uint32_t)sizeof instance->counter,
        .name = "submissions",
        .value = 100 + (uint64_t)atomic_load(&config->runs_done),
    };
    *counters = &instance->counter;
    return 1;
}

static const struct heed_counters_extension counters = {(uint32_t)sizeof counters, read_counters};

static const void *extension(const struct fake_config *config, const char *name) {
    if (config->profiled && strcmp(name, HEED_EXTENSION_PROFILE) == 0)
        return &profile;
    if (config->steps && strcmp(name, HEED_EXTENSION_STEPS) == 0)
        return &steps;
    return config->counts && strcmp(name, HEED_EXTENSION_COUNTERS) == 0 ? &counters : NULL;
}

/* ---- the tables ---- */

#define FAKE_BACKEND(letter)                                                                       \
    static enum heed_status enumerate_##letter(struct heed_device_info *devices, size_t stride,    \
                                               uint32_t capacity, uint32_t *count,                 \
                                               struct heed_error *error) {                         \
        (void)stride;                                                                              \
        return enumerate(&fake_##letter, devices, capacity, count, error);                         \
    }                                                                                              \
    static enum heed_status create_##letter(                                                       \
        const struct heed_host *host, const struct heed_plugin_options *options,                   \
        struct heed_plugin **plugin, struct heed_error *error) {                                   \
        (void)snprintf(fake_##letter.options, sizeof fake_##letter.options, "%s",                  \
                       options->options);                                                          \
        return create(&fake_##letter, host, plugin, error);                                        \
    }                                                                                              \
    static const void *extension_##letter(const char *name) {                                      \
        return extension(&fake_##letter, name);                                                    \
    }                                                                                              \
    static const struct heed_backend table_##letter = {.struct_size =                              \
                                                           (uint32_t)sizeof(struct heed_backend),  \
                                                       .abi_version = HEED_ABI_VERSION,            \
                                                       .name = "fake_" #letter,                    \
                                                       .version = "1",                             \
                                                       .description = "a backend for tests",       \
                                                       .enumerate = enumerate_##letter,            \
                                                       .create = create_##letter,                  \
                                                       .destroy = destroy,                         \
                                                       .query = query,                             \
                                                       .compile = compile,                         \
                                                       .program_destroy = program_destroy,         \
                                                       .instance_create = instance_create,         \
                                                       .instance_destroy = instance_destroy,       \
                                                       .bind = bind,                               \
                                                       .bind_state = bind_state,                   \
                                                       .submit = submit,                           \
                                                       .wait = wait_done,                          \
                                                       .state_create = state_create,               \
                                                       .state_destroy = state_destroy,             \
                                                       .state_write = state_write,                 \
                                                       .state_read = state_read,                   \
                                                       .get_extension = extension_##letter};       \
    static const struct heed_backend *entry_##letter(uint32_t abi_version) {                       \
        return HEED_ABI_VERSION_MAJOR(abi_version) == HEED_ABI_MAJOR ? &table_##letter : NULL;     \
    }
FAKE_BACKEND(a)
FAKE_BACKEND(b)

static void reset(struct fake_config *config, const char *name) {
    memset(config, 0, sizeof *config);
    config->name = name;
    config->device_type = HEED_DEVICE_CPU;
    for (size_t op = 0; op < HEED_OP_COUNT_PLUS_ONE; op++)
        config->runs[op] = true;
}

void fake_reset(struct heed_context *context) {
    reset(&fake_a, "fake_a");
    reset(&fake_b, "fake_b");
    heed_backend_register(context, "fake_a", entry_a);
    heed_backend_register(context, "fake_b", entry_b);
}

void fake_runs_only(struct fake_config *config, const enum heed_op *ops) {
    memset(config->runs, 0, sizeof config->runs);
    for (; *ops != HEED_OP_NONE; ops++)
        config->runs[*ops] = true;
}
