/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of kernels that need more than Vulkan 1.1 are tried before they are used, as some drivers
 * offer what they do not do: small products whose results are known, and exact in any order of
 * sums. What fails is set aside with one line in the log, and the plain form is used. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "instance.h"

/* ---- running one node ---- */

enum heed_status heedi_vk_try(struct heed_plugin *plugin, enum vk_form form,
                              const struct vk_trial *trial, struct heed_error *error) {
    struct heed_subgraph_tensor tensors[HEED_MAX_INPUTS + 1];
    struct heed_subgraph_node node = {.struct_size = sizeof node,
                                      .op = (uint32_t)trial->op,
                                      .op_version = 1,
                                      .name = "self-test",
                                      .attrs = trial->attrs,
                                      .attrs_size = trial->attrs_size,
                                      .input_count = trial->input_count,
                                      .output_count = 1};
    int32_t count = 0;
    for (uint32_t i = 0; i <= trial->input_count; i++) {
        const bool result = i == trial->input_count;
        int32_t *index = result ? &node.outputs[0] : &node.inputs[i];
        *index = -1;
        if (!result && trial->in[i].data == NULL)
            continue;
        *index = count;
        tensors[count] = (struct heed_subgraph_tensor){
            .struct_size = sizeof tensors[count],
            .role = result ? HEED_ROLE_OUTPUT : HEED_ROLE_INPUT,
            .desc = result ? trial->out.desc : trial->in[i].desc,
            .storage = count,
            .binding = count,
            .arena_offset_bytes = -1,
            .first_node = -1,
            .last_node = -1,
        };
        count++;
    }
    const struct heed_subgraph subgraph = {.struct_size = sizeof subgraph,
                                           .tensor_count = (uint32_t)count,
                                           .tensors = tensors,
                                           .tensor_stride = sizeof tensors[0],
                                           .nodes = &node,
                                           .node_stride = sizeof node,
                                           .node_count = 1,
                                           .binding_count = (uint32_t)count,
                                           .arena_alignment = 64,
                                           .name = "self-test"};
    struct heed_plugin_program *program = NULL;
    struct heed_plugin_instance *instance = NULL;
    enum heed_status status = heedi_vk_compile_as(plugin, &subgraph, 1u << form, &program, error);
    if (status == HEED_OK)
        status = heedi_vk_instance_new(program, &instance, error);
    for (uint32_t i = 0; status == HEED_OK && i < trial->input_count; i++)
        if (node.inputs[i] >= 0)
            status = heedi_vk_bind(instance, (uint32_t)node.inputs[i], trial->in[i].data, error);
    if (status == HEED_OK)
        status = heedi_vk_bind(instance, (uint32_t)node.outputs[0], trial->out.data, error);
    if (status == HEED_OK)
        status = heedi_vk_submit(instance, error);
    if (status == HEED_OK)
        status = heedi_vk_wait(instance, VK_MOST_WAIT_NS, error);
    heedi_vk_instance_destroy(instance);
    heedi_vk_program_destroy(program);
    return status;
}

/* ---- products ---- */

/* Of integers, so that every sum is below 2^24 and exact; many sums of halves would not be, or
 * would overflow. Every row of a has 127 in it, so that quantising changes nothing. */
struct product {
    enum heed_dtype a, b;
    int64_t m, n, k;
};

static const struct product integer_products[] = {
    {HEED_F32, HEED_I8, 1, 5, 4},      {HEED_F32, HEED_I8, 3, 9, 1032},
    {HEED_F32, HEED_I8, 33, 40, 96},   {HEED_F32, HEED_I8, 20, 70, 30},
    {HEED_F32, HEED_Q8_0, 2, 17, 576}, {HEED_F32, HEED_Q8_0, 70, 65, 64},
};
static const struct product half_products[] = {
    {HEED_F16, HEED_F16, 17, 5, 16},
    {HEED_F16, HEED_F16, 70, 65, 33},
    {HEED_F16, HEED_F16, 33, 130, 96},
    {HEED_F16, HEED_F16, 20, 16, 1032},
};
static const struct product rounded_product = {HEED_F32, HEED_F16, 40, 40, 40};

struct operands {
    void *a, *b;
    float *b_scale, *y, *expected;
};

static int32_t value_of(int64_t i) {
    const uint32_t bits = ((uint32_t)i + 1) * 2654435761u;
    return (int32_t)(bits >> 24) - 128; /* -128 to 127 */
}

static int32_t a_value(const struct product *it, int64_t row, int64_t p) {
    const int32_t value = value_of(3 * (row * it->k + p) + 1);
    return row == 0 || p == row % it->k || value == -128 ? 127 : value;
}

static int32_t b_value(const struct product *it, int64_t column, int64_t p) {
    return column == 0 ? -128 : value_of(7 * (column * it->k + p));
}

/* Element i of a matrix. */
static void put(enum heed_dtype type, void *matrix, int64_t i, int32_t value) {
    struct heed_q8_0 *block = (struct heed_q8_0 *)matrix + i / HEED_Q8_0_VALUES;
    switch (type) {
    case HEED_F32:
        ((float *)matrix)[i] = (float)value;
        break;
    case HEED_F16:
        ((uint16_t *)matrix)[i] = heed_f32_to_f16((float)value);
        break;
    case HEED_Q8_0:
        block->scale = 0x3c00; /* 1 */
        block->values[i % HEED_Q8_0_VALUES] = (int8_t)value;
        break;
    default:
        ((int8_t *)matrix)[i] = (int8_t)value;
    }
}

static bool fill(const struct heed_host *host, const struct product *it, struct operands *to) {
    const size_t b_values = (size_t)heed_dtype_values(it->b);
    to->a = heedi_common_calloc(host, (size_t)(it->m * it->k), heed_dtype_bytes(it->a));
    to->b = heedi_common_calloc(host, (size_t)(it->n * it->k) / b_values, heed_dtype_bytes(it->b));
    to->b_scale = heedi_common_calloc(host, (size_t)it->n, sizeof(float));
    to->y = heedi_common_calloc(host, (size_t)(it->m * it->n), sizeof(float));
    to->expected = heedi_common_calloc(host, (size_t)(it->m * it->n), sizeof(float));
    if (to->a == NULL || to->b == NULL || to->b_scale == NULL || to->y == NULL ||
        to->expected == NULL)
        return false;
    for (int64_t i = 0; i < it->m * it->k; i++)
        put(it->a, to->a, i, a_value(it, i / it->k, i % it->k));
    for (int64_t i = 0; i < it->n * it->k; i++)
        put(it->b, to->b, i, b_value(it, i / it->k, i % it->k));
    for (int64_t j = 0; j < it->n; j++)
        to->b_scale[j] = 1.0f;
    for (int64_t i = 0; i < it->m * it->n; i++) {
        int32_t sum = 0;
        for (int64_t p = 0; p < it->k; p++)
            sum += a_value(it, i / it->n, p) * b_value(it, i % it->n, p);
        to->expected[i] = (float)sum;
    }
    return true;
}

static enum heed_status try_product(struct heed_plugin *plugin, enum vk_form form,
                                    const struct product *it, struct heed_error *error) {
    const struct heed_host *host = plugin->host;
    struct operands operands = {.a = NULL};
    enum heed_status status = HEED_OK;
    if (!fill(host, it, &operands))
        status = heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    if (status == HEED_OK) {
        const struct heed_matmul_attrs attrs = {
            .struct_size = sizeof attrs,
            .transpose_b = 1,
            .out_dtype = HEED_F32,
            .a_quantization = it->b == HEED_F16 ? HEED_QUANTIZE_NONE : HEED_QUANTIZE_ROWS};
        const int64_t a[] = {it->m, it->k}, b[] = {it->n, it->k / heed_dtype_values(it->b)};
        const int64_t y[] = {it->m, it->n};
        const struct vk_trial trial = {
            .op = HEED_OP_MATMUL,
            .attrs = &attrs,
            .attrs_size = sizeof attrs,
            .input_count = 4,
            .in = {{heed_desc(it->a, 2, a), operands.a},
                   {heed_desc(it->b, 2, b), operands.b},
                   {.data = NULL},
                   {heed_desc(HEED_F32, 1, &it->n), it->b == HEED_I8 ? operands.b_scale : NULL}},
            .out = {heed_desc(HEED_F32, 2, y), operands.y},
        };
        status = heedi_vk_try(plugin, form, &trial, error);
    }
    if (status == HEED_OK)
        status = heedi_vk_agree(plugin, operands.y, operands.expected, it->m * it->n, error);
    heedi_common_free(host, operands.a);
    heedi_common_free(host, operands.b);
    heedi_common_free(host, operands.b_scale);
    heedi_common_free(host, operands.y);
    heedi_common_free(host, operands.expected);
    return status;
}

static enum heed_status try_products(struct heed_plugin *plugin, enum vk_form form,
                                     const struct product *products, size_t count,
                                     struct heed_error *error) {
    enum heed_status status = HEED_OK;
    for (size_t i = 0; status == HEED_OK && i < count; i++)
        status = try_product(plugin, form, &products[i], error);
    return status;
}

static enum heed_status try_integer_dot(struct heed_plugin *plugin, enum vk_form form,
                                        struct heed_error *error) {
    return try_products(plugin, form, integer_products,
                        sizeof integer_products / sizeof *integer_products, error);
}

static enum heed_status try_coop(struct heed_plugin *plugin, enum vk_form form,
                                 struct heed_error *error) {
    const enum heed_status status = try_products(
        plugin, form, half_products, sizeof half_products / sizeof *half_products, error);
    return status == HEED_OK && plugin->rounds_to_f16
               ? try_product(plugin, form, &rounded_product, error)
               : status;
}

/* ---- forms ---- */

static bool has_dot(const struct heed_plugin *plugin) {
    return plugin->device.features.dot_accelerated;
}

static bool has_coop(const struct heed_plugin *plugin) {
    return plugin->matrix.m > 0;
}

static bool has_subgroups(const struct heed_plugin *plugin) {
    return plugin->device.features.subgroup_arithmetic;
}

static const struct {
    const char *name;
    bool (*offered)(const struct heed_plugin *plugin);
    enum heed_status (*run)(struct heed_plugin *plugin, enum vk_form form,
                            struct heed_error *error);
} tests[VK_FORM_COUNT] = {
    [VK_FORM_DOT] = {"integer dot products", has_dot, try_integer_dot},
    [VK_FORM_COOP] = {"cooperative matrices", has_coop, try_coop},
    [VK_FORM_SUBGROUP] = {"sums by subgroups", has_subgroups, heedi_vk_try_subgroups},
};

enum heed_status heedi_vk_agree(struct heed_plugin *plugin, float *found, const float *expected,
                                int64_t count, struct heed_error *error) {
    if (plugin->wrong_trials)
        found[count - 1] += 1.0f;
    for (int64_t i = 0; i < count; i++)
        if (found[i] != expected[i])
            return heedi_common_fail(error, HEED_ERROR_INTERNAL,
                                     "element %" PRId64 " of %" PRId64 " is %.9g, expected %.9g", i,
                                     count, (double)found[i], (double)expected[i]);
    return HEED_OK;
}

static enum vk_proof prove(struct heed_plugin *plugin, enum vk_form form) {
    struct heed_error error = {.struct_size = sizeof error};
    char line[sizeof error.message + 400];
    if (tests[form].run(plugin, form, &error) == HEED_OK)
        return VK_PROVEN;
    (void)snprintf(line, sizeof line, "%s: %s fail their test and are not used on this device (%s)",
                   plugin->device.properties.deviceName, tests[form].name, error.message);
    plugin->host->log(plugin->host->handle, HEED_LOG_WARNING, line);
    return VK_SET_ASIDE;
}

bool heedi_vk_proven(const struct heed_plugin_program *program, enum vk_form form) {
    struct heed_plugin *plugin = program->plugin;
    if (!tests[form].offered(plugin))
        return false;
    if (program->granted_forms != 0) /* it is a trial itself */
        return (program->granted_forms & 1u << form) != 0;
    if (plugin->stats) /* pipelines are looked at, and may be of a device that cannot run */
        return true;
    pthread_mutex_lock(&plugin->trial_mutex);
    if (plugin->proofs[form] == VK_UNTRIED)
        plugin->proofs[form] = prove(plugin, form);
    const bool proven = plugin->proofs[form] == VK_PROVEN;
    pthread_mutex_unlock(&plugin->trial_mutex);
    return proven;
}
