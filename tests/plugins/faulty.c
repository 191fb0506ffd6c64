/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that is sound, or wrong in one way that kernels are wrong in: "faulty(fault=NAME)". It
 * runs matmul of two matrices, relu, and attention with causal as its only mask;
 * tests/check/faults.c shows that each fault is found. Like any plugin it sees heed/backend.h
 * alone. */
#include <math.h>
#include <stdbool.h>

#include "heed/backend.h"

#define FAULTS(X)                                                                                  \
    X(NONE, none)                                                                                  \
    X(TILE, tile)           /* rows and columns 4 to 7 are too large by a hundredth */             \
    X(ULP, ulp)             /* the last element is three units in the last place over its bound */ \
    X(EDGE, edge)           /* the last column is forgotten where n is no multiple of 4 */         \
    X(OVERRUN, overrun)     /* one element is written after the last */                            \
    X(STALE, stale)         /* sums begin with what the output held */                             \
    X(RACE, race)           /* one run of 20 loses a product of one element */                     \
    X(THREADS, threads)     /* sums are split by the number of threads */                          \
    X(F16, f16)             /* sums are kept in f16 */                                             \
    X(TF32, tf32)           /* operands are rounded to 11 significant bits */                      \
    X(DROPPED, dropped)     /* the last product of sums of 2048 is left out */                     \
    X(MASK, mask)           /* what causal hides is what is seen */                                \
    X(SWALLOWED, swallowed) /* relu of a NaN is 0 */

enum fault {
#define FAULT_ENUM(NAME, name) FAULT_##NAME,
    FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT
};

struct heed_plugin {
    const struct heed_host *host;
    enum fault fault;
};

/* One node, as every sub-graph of a check has after its views are resolved. */
struct operand {
    struct heed_tensor_desc desc;
    int64_t offset_elems;
    int32_t binding;  /* -1: a constant */
    const void *data; /* of a constant */
};
struct heed_plugin_program {
    struct heed_plugin *plugin;
    enum heed_op op;
    union {
        struct heed_matmul_attrs matmul;
        struct heed_attention_attrs attention;
    } attrs;
    struct operand inputs[3], output;
    bool bias; /* inputs[2] of a matmul is there */
};

enum { BINDINGS = 4 };
struct heed_plugin_instance {
    struct heed_plugin_program *program;
    void *memory[BINDINGS];
    uint32_t runs;
};

static enum heed_status fail(struct heed_error *error, enum heed_status status) {
    error->status = (int32_t)status;
    return status;
}

/* ---- elements ---- */

static double load(const struct operand *operand, const void *memory, int64_t offset) {
    offset += operand->offset_elems;
    switch (operand->desc.dtype) {
    case HEED_F16:
        return (double)heed_f16_to_f32(((const uint16_t *)memory)[offset]);
    case HEED_BF16:
        return (double)heed_bf16_to_f32(((const uint16_t *)memory)[offset]);
    default:
        return (double)((const float *)memory)[offset];
    }
}

/* The output is contiguous. */
static void store(const struct operand *operand, void *memory, int64_t offset, float value) {
    if (operand->desc.dtype == HEED_F16)
        ((uint16_t *)memory)[offset] = heed_f32_to_f16(value);
    else if (operand->desc.dtype == HEED_BF16)
        ((uint16_t *)memory)[offset] = heed_f32_to_bf16(value);
    else
        ((float *)memory)[offset] = value;
}

static float coarse(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7f800000u) == 0x7f800000u)
        return value;
    bits = (bits + 0xfffu + (bits >> 13 & 1)) & ~0x1fffu;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

/* ---- matmul ---- */

struct product {
    const struct operand *a, *b, *bias, *y;
    const void *a_data, *b_data, *bias_data;
    void *y_data;
    int64_t m, n, k, a_row, a_step, b_column, b_step;
    enum fault fault;
    bool unlucky;  /* of the race */
    int64_t parts; /* that sums are split into */
};

static float term(const struct product *it, int64_t i, int64_t j, int64_t p) {
    float a = (float)load(it->a, it->a_data, i * it->a_row + p * it->a_step);
    float b = (float)load(it->b, it->b_data, j * it->b_column + p * it->b_step);
    if (it->fault == FAULT_TF32) {
        a = coarse(a);
        b = coarse(b);
    }
    return a * b;
}

static float bias_of(const struct product *it, int64_t j) {
    return it->bias != NULL ? (float)load(it->bias, it->bias_data, j * it->bias->desc.strides[0])
                            : 0.0f;
}

/* Three units in the last place beyond gamma(K) M (Higham 2002, ch. 3), of results in f32. */
static float over_bound(const struct product *it, int64_t i, int64_t j) {
    const double depth = (double)it->k + (it->bias != NULL ? 1 : 0), u = 0x1p-24;
    double sum = (double)bias_of(it, j), magnitude = fabs(sum);
    for (int64_t p = 0; p < it->k; p++) {
        const double product = load(it->a, it->a_data, i * it->a_row + p * it->a_step) *
                               load(it->b, it->b_data, j * it->b_column + p * it->b_step);
        sum += product;
        magnitude += fabs(product);
    }
    const double bound = depth * u / (1 - depth * u) * magnitude + (depth + 1) * 0x1p-149;
    float value = (float)(fabs(sum) + bound);
    for (int step = 0; step < 4; step++) /* the bound ends in half a unit for the stored result */
        value = nextafterf(value, INFINITY);
    return sum < 0 ? -value : value;
}

/* With weights of q8_0: the formula of enum heed_quantization, before the bias. */
static float element_of_blocks(const struct product *it, int64_t i, int64_t j) {
    const struct heed_q8_0 *blocks = it->b_data;
    float greatest = 0.0f, factor, sum = 0.0f;
    for (int64_t p = 0; p < it->k; p++) {
        const float magnitude =
            fabsf((float)load(it->a, it->a_data, i * it->a_row + p * it->a_step));
        if (!(magnitude <= greatest) && greatest == greatest)
            greatest = magnitude; /* or NaN, which stays */
    }
    const float scale = heed_quantize_scale(greatest, &factor);
    for (int64_t p = 0; p < it->k; p += HEED_Q8_0_VALUES) {
        const struct heed_q8_0 *block = &blocks[j * it->b_column + p / HEED_Q8_0_VALUES];
        int32_t part = 0;
        for (int64_t v = 0; v < HEED_Q8_0_VALUES; v++) {
            const int64_t at = i * it->a_row + (p + v) * it->a_step;
            part += heed_quantize((float)load(it->a, it->a_data, at), factor) * block->values[v];
        }
        sum += (float)part * heed_f16_to_f32(block->scale);
    }
    return sum * scale;
}

static float element_of_floats(const struct product *it, int64_t i, int64_t j) {
    const bool last = i == it->m - 1 && j == it->n - 1;
    int64_t terms = it->k;
    float sum = 0.0f, part = 0.0f;
    if (it->fault == FAULT_STALE)
        sum = (float)load(it->y, it->y_data, i * it->n + j);
    if ((it->fault == FAULT_DROPPED && it->k == 2048) || (it->unlucky && last))
        terms--;
    for (int64_t p = 0; p < terms; p++) {
        part += term(it, i, j, p);
        if (it->parts == 1 || p % it->parts == 0) {
            sum += part;
            part = 0.0f;
        }
        if (it->fault == FAULT_F16)
            sum = heed_f16_to_f32(heed_f32_to_f16(sum));
    }
    return sum + part;
}

static float element(const struct product *it, int64_t i, int64_t j) {
    const bool last = i == it->m - 1 && j == it->n - 1;
    const bool blocks = it->b->desc.dtype == HEED_Q8_0;
    float sum = blocks ? element_of_blocks(it, i, j) : element_of_floats(it, i, j);
    sum += bias_of(it, j);
    if (it->fault == FAULT_TILE && i / 4 == 1 && j / 4 == 1)
        sum *= 1.01f;
    if (it->fault == FAULT_ULP && last && !blocks && it->y->desc.dtype == HEED_F32 && isfinite(sum))
        sum = over_bound(it, i, j);
    return sum;
}

static void *memory_of(const struct heed_plugin_instance *instance, const struct operand *operand) {
    return operand->binding >= 0 ? instance->memory[operand->binding] : NULL;
}

static const void *data_of(const struct heed_plugin_instance *instance,
                           const struct operand *operand) {
    return operand->binding >= 0 ? instance->memory[operand->binding] : operand->data;
}

static void run_matmul(struct heed_plugin_instance *instance) {
    const struct heed_plugin_program *program = instance->program;
    const struct heed_matmul_attrs *attrs = &program->attrs.matmul;
    const struct operand *a = &program->inputs[0], *b = &program->inputs[1];
    struct product it = {.a = a,
                         .b = b,
                         .bias = program->bias ? &program->inputs[2] : NULL,
                         .y = &program->output,
                         .a_data = data_of(instance, a),
                         .b_data = data_of(instance, b),
                         .bias_data = data_of(instance, &program->inputs[2]),
                         .y_data = memory_of(instance, &program->output),
                         .m = program->output.desc.dims[0],
                         .n = program->output.desc.dims[1],
                         .k = a->desc.dims[attrs->transpose_a ? 0 : 1],
                         .a_row = a->desc.strides[attrs->transpose_a ? 1 : 0],
                         .a_step = a->desc.strides[attrs->transpose_a ? 0 : 1],
                         .b_column = b->desc.strides[attrs->transpose_b ? 0 : 1],
                         .b_step = b->desc.strides[attrs->transpose_b ? 1 : 0],
                         .fault = program->plugin->fault};
    const struct heed_host *host = program->plugin->host;
    it.parts = it.fault == FAULT_THREADS ? (int64_t)host->thread_count(host->handle) : 1;
    it.unlucky = it.fault == FAULT_RACE && instance->runs % 20 == 13;
    for (int64_t i = 0; i < it.m; i++)
        for (int64_t j = 0; j < it.n; j++)
            if (it.fault != FAULT_EDGE || it.n % 4 == 0 || j != it.n - 1)
                store(it.y, it.y_data, i * it.n + j, element(&it, i, j));
    if (it.fault == FAULT_OVERRUN && it.m * it.n > 0)
        store(it.y, it.y_data, it.m * it.n, 1.0f);
}

/* ---- relu ---- */

static void run_relu(struct heed_plugin_instance *instance) {
    const struct heed_plugin_program *program = instance->program;
    const struct operand *x = &program->inputs[0];
    const struct heed_tensor_desc *desc = &x->desc;
    const int64_t elems = heed_desc_elems(desc);
    const bool swallows = program->plugin->fault == FAULT_SWALLOWED;
    for (int64_t i = 0; i < elems; i++) {
        int64_t offset = 0, rest = i;
        for (uint32_t d = desc->rank; d-- > 0; rest /= desc->dims[d])
            offset += rest % desc->dims[d] * desc->strides[d];
        const float value = (float)load(x, data_of(instance, x), offset);
        store(&program->output, memory_of(instance, &program->output), i,
              value > 0 || (value != value && !swallows) ? value : 0.0f);
    }
}

/* ---- attention ---- */

struct query {
    const struct heed_plugin_instance *instance;
    int64_t row, head, kv_head, t;
    double scale;
};

static double at4(const struct query *it, const struct operand *operand, int64_t head, int64_t t,
                  int64_t i) {
    const int64_t *strides = operand->desc.strides;
    return load(operand, data_of(it->instance, operand),
                it->row * strides[0] + head * strides[1] + t * strides[2] + i * strides[3]);
}

static bool visible(const struct query *it, int64_t key) {
    const struct heed_plugin_program *program = it->instance->program;
    if (!program->attrs.attention.causal)
        return true;
    return program->plugin->fault == FAULT_MASK ? key >= it->t : key <= it->t;
}

static double score(const struct query *it, int64_t key) {
    const struct operand *q = &it->instance->program->inputs[0];
    const struct operand *k = &it->instance->program->inputs[1];
    double sum = 0;
    for (int64_t i = 0; i < q->desc.dims[3]; i++)
        sum += at4(it, q, it->head, it->t, i) * at4(it, k, it->kv_head, key, i);
    return sum * it->scale;
}

static double attend(const struct query *it, int64_t column) {
    const struct operand *v = &it->instance->program->inputs[2];
    const int64_t keys = v->desc.dims[2];
    double greatest = -INFINITY, sum = 0, total = 0;
    for (int64_t key = 0; key < keys; key++)
        if (visible(it, key))
            greatest = fmax(greatest, score(it, key));
    for (int64_t key = 0; key < keys; key++) {
        if (!visible(it, key))
            continue;
        const double value = score(it, key);
        const double weight = value == -INFINITY ? 0 : exp(value - greatest);
        total += weight;
        sum += weight * at4(it, v, it->kv_head, key, column);
    }
    return total > 0 ? sum / total : total < 0 || total == 0 ? 0 : NAN;
}

static void run_attention(struct heed_plugin_instance *instance) {
    const struct heed_plugin_program *program = instance->program;
    const struct heed_attention_attrs *attrs = &program->attrs.attention;
    const int64_t *q = program->inputs[0].desc.dims, *k = program->inputs[1].desc.dims;
    const int64_t *y = program->output.desc.dims;
    const double scale = attrs->scale != 0 ? (double)attrs->scale : 1 / sqrt((double)q[3]);
    struct query it = {.instance = instance, .scale = attrs->score == HEED_SCORE_DOT ? 1 : scale};
    int64_t at = 0;
    for (it.row = 0; it.row < y[0]; it.row++)
        for (it.head = 0; it.head < y[1]; it.head++)
            for (it.t = 0; it.t < y[2]; it.t++)
                for (int64_t column = 0; column < y[3]; column++) {
                    it.kv_head = it.head / (q[1] / k[1]);
                    store(&program->output, memory_of(instance, &program->output), at++,
                          (float)attend(&it, column));
                }
}

/* ---- programs and instances ---- */

static bool is_float(enum heed_dtype dtype) {
    return dtype == HEED_F32 || dtype == HEED_F16 || dtype == HEED_BF16;
}

static bool floats(const struct heed_subgraph *subgraph, const struct heed_subgraph_node *node,
                   uint32_t least, uint32_t most) {
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] < 0 && i >= least)
            continue;
        if (node->inputs[i] < 0 || i >= most)
            return false;
        const enum heed_dtype dtype =
            heed_subgraph_tensor_at(subgraph, node->inputs[i])->desc.dtype;
        if (!is_float(dtype) && !(node->op == HEED_OP_MATMUL && i == 1 && dtype == HEED_Q8_0))
            return false;
    }
    return true;
}

static bool can_run(const struct heed_subgraph *subgraph, const struct heed_subgraph_node *node) {
    const struct heed_subgraph_tensor *output = heed_subgraph_tensor_at(subgraph, node->outputs[0]);
    const struct heed_matmul_attrs *matmul = node->attrs;
    const struct heed_attention_attrs *attention = node->attrs;
    if (node->op == HEED_OP_MATMUL)
        return floats(subgraph, node, 2, 3) && output->desc.rank == 2 &&
               heed_subgraph_tensor_at(subgraph, node->inputs[1])->desc.rank == 2 &&
               matmul->activation == HEED_ACTIVATION_NONE;
    if (node->op == HEED_OP_ATTENTION)
        return floats(subgraph, node, 3, 3) && attention->window == 0 && !attention->return_weights;
    return node->op == HEED_OP_RELU && floats(subgraph, node, 1, 1);
}

static enum heed_status query(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                              struct heed_claim *claims, size_t stride, struct heed_error *error) {
    (void)plugin;
    (void)error;
    for (uint32_t i = 0; i < subgraph->node_count; i++)
        if (can_run(subgraph, heed_subgraph_node_at(subgraph, i)))
            ((struct heed_claim *)(void *)((char *)claims + i * stride))->verdict =
                HEED_VERDICT_YES;
    return HEED_OK;
}

static struct operand operand_of(const struct heed_subgraph *subgraph, int32_t index) {
    struct operand operand = {.binding = -1};
    if (index < 0)
        return operand;
    const struct heed_subgraph_tensor *tensor = heed_subgraph_tensor_at(subgraph, index);
    const struct heed_subgraph_tensor *owner = heed_subgraph_tensor_at(subgraph, tensor->storage);
    operand.desc = tensor->desc;
    operand.offset_elems = tensor->offset_elems;
    operand.binding = owner->binding;
    operand.data = owner->data;
    return operand;
}

static enum heed_status compile(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                struct heed_plugin_program **program, struct heed_error *error) {
    if (subgraph->node_count != 1 || subgraph->binding_count > BINDINGS)
        return fail(error, HEED_ERROR_UNSUPPORTED);
    const struct heed_subgraph_node *node = heed_subgraph_node_at(subgraph, 0);
    struct heed_plugin_program *made = (struct heed_plugin_program *)plugin->host->allocate(
        plugin->host->handle, sizeof *made, 64);
    if (made == NULL)
        return fail(error, HEED_ERROR_OUT_OF_MEMORY);
    memset(made, 0, sizeof *made);
    made->plugin = plugin;
    made->op = (enum heed_op)node->op;
    if (node->attrs_size > 0 && node->attrs_size <= sizeof made->attrs)
        memcpy(&made->attrs, node->attrs, node->attrs_size);
    for (uint32_t i = 0; i < 3; i++)
        made->inputs[i] = operand_of(subgraph, i < node->input_count ? node->inputs[i] : -1);
    made->bias = node->input_count > 2 && node->inputs[2] >= 0;
    made->output = operand_of(subgraph, node->outputs[0]);
    *program = made;
    return HEED_OK;
}

static void program_destroy(struct heed_plugin_program *program) {
    if (program != NULL)
        program->plugin->host->release(program->plugin->host->handle, program);
}

static enum heed_status instance_create(struct heed_plugin_program *program,
                                        struct heed_plugin_instance **instance,
                                        struct heed_error *error) {
    const struct heed_host *host = program->plugin->host;
    *instance = (struct heed_plugin_instance *)host->allocate(host->handle, sizeof **instance, 64);
    if (*instance == NULL)
        return fail(error, HEED_ERROR_OUT_OF_MEMORY);
    memset(*instance, 0, sizeof **instance);
    (*instance)->program = program;
    return HEED_OK;
}

static void instance_destroy(struct heed_plugin_instance *instance) {
    if (instance != NULL)
        instance->program->plugin->host->release(instance->program->plugin->host->handle, instance);
}

static enum heed_status bind(struct heed_plugin_instance *instance, uint32_t binding, void *memory,
                             struct heed_error *error) {
    (void)error;
    instance->memory[binding] = memory;
    return HEED_OK;
}

static enum heed_status submit(struct heed_plugin_instance *instance, struct heed_error *error) {
    (void)error;
    if (instance->program->op == HEED_OP_MATMUL)
        run_matmul(instance);
    else if (instance->program->op == HEED_OP_RELU)
        run_relu(instance);
    else
        run_attention(instance);
    instance->runs++;
    return HEED_OK;
}

static enum heed_status wait(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                             struct heed_error *error) {
    (void)instance;
    (void)timeout_ns;
    (void)error;
    return HEED_OK;
}

/* ---- the plugin ---- */

static enum heed_status enumerate(struct heed_device_info *devices, size_t stride,
                                  uint32_t capacity, uint32_t *count, struct heed_error *error) {
    static const struct heed_numeric_profile numeric = {.struct_size = sizeof numeric,
                                                        .unit_roundoff = 0x1p-24f,
                                                        .exp_ulp = 2,
                                                        .tanh_ulp = 2,
                                                        .erf_ulp = 2,
                                                        .accumulator = HEED_F32};
    (void)stride;
    (void)error;
    *count = 1;
    if (capacity > 0) {
        devices->type = HEED_DEVICE_SOFTWARE; /* never chosen by itself */
        devices->flags = HEED_DEVICE_HOST_MEMORY;
        memcpy(devices->name, "faulty", sizeof "faulty");
        devices->numeric = numeric;
    }
    return HEED_OK;
}

static enum heed_status create(const struct heed_host *host,
                               const struct heed_plugin_options *options,
                               struct heed_plugin **plugin, struct heed_error *error) {
    static const char *const names[FAULT_COUNT] = {
#define FAULT_NAME(NAME, name) "fault=" #name,
        FAULTS(FAULT_NAME)
#undef FAULT_NAME
    };
    int fault = 0;
    while (options->options[0] != '\0' && fault < FAULT_COUNT &&
           strcmp(options->options, names[fault]) != 0)
        fault++;
    if (fault == FAULT_COUNT)
        return fail(error, HEED_ERROR_INVALID_ARGUMENT);
    *plugin = (struct heed_plugin *)host->allocate(host->handle, sizeof **plugin, 64);
    if (*plugin == NULL)
        return fail(error, HEED_ERROR_OUT_OF_MEMORY);
    (*plugin)->host = host;
    (*plugin)->fault = (enum fault)fault;
    return HEED_OK;
}

static void destroy(struct heed_plugin *plugin) {
    if (plugin != NULL)
        plugin->host->release(plugin->host->handle, plugin);
}

/* No state is ever on this plugin, as it claims no cache_append. */
static enum heed_status bind_state(struct heed_plugin_instance *instance, uint32_t binding,
                                   struct heed_plugin_state *state, struct heed_error *error) {
    (void)instance;
    (void)binding;
    (void)state;
    return fail(error, HEED_ERROR_UNSUPPORTED);
}

static enum heed_status state_create(struct heed_plugin *plugin,
                                     const struct heed_tensor_desc *desc,
                                     struct heed_plugin_state **state, struct heed_error *error) {
    (void)plugin;
    (void)desc;
    (void)state;
    return fail(error, HEED_ERROR_UNSUPPORTED);
}

static void state_destroy(struct heed_plugin_state *state) {
    (void)state;
}

static enum heed_status state_write(struct heed_plugin_state *state, size_t offset_bytes,
                                    const void *data, size_t bytes, struct heed_error *error) {
    (void)state;
    (void)offset_bytes;
    (void)data;
    (void)bytes;
    return fail(error, HEED_ERROR_UNSUPPORTED);
}

static enum heed_status state_read(struct heed_plugin_state *state, size_t offset_bytes, void *data,
                                   size_t bytes, struct heed_error *error) {
    (void)state;
    (void)offset_bytes;
    (void)data;
    (void)bytes;
    return fail(error, HEED_ERROR_UNSUPPORTED);
}

HEED_BACKEND_ENTRY(faulty) {
    static const struct heed_backend table = {
        .struct_size = sizeof table,
        .abi_version = HEED_ABI_VERSION,
        .name = "faulty",
        .version = "1.0.0",
        .description = "a plugin with faults on purpose",
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
