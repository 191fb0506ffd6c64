/* SPDX-License-Identifier: Apache-2.0 */
/* Every shader in every shape, with every value of its other constants beside the most usual ones:
 * what is compiled when somebody wants to see what a driver makes of all of it.
 *
 * HEED_VULKAN_VARIANTS=all compiles them when a device is opened, some leaves other values than the
 * most usual ones to the first shape; with HEED_VULKAN_STATS they are written down. A shader that
 * is missing here is an error then, so that no new one can be forgotten. What an operator adds to
 * its constants is to be added here too. */
#include <stdlib.h>
#include <string.h>

#include "tune.h"

/* What sets the width of a workgroup, with constants that follow from it. */
enum shapes {
    NONE,    /* the shader is missing here */
    ASIDE,   /* cooperative matrices: of the device's own sizes, proven by a test at run time */
    WIDTH,   /* as wide as the device likes, for loops over elements */
    ROWS,    /* 32 and up, a workgroup has a row */
    TILES,   /* of products */
    COLUMNS, /* of products with few rows */
    CHOICES, /* of those that end in a choice */
    ATTENDS, /* attention.comp: a width and room for d and dv */
    BLOCKS,  /* attention_block.comp: queries and room */
    STEP,    /* attention_step.comp, */
    CROSS,   /* attention_cross.comp, */
    QUANTIZED_STEP,
    QUANTIZED_CROSS /* and their forms for quantised rows */
};

enum { MOST_VALUES = 8, MOST_AXES = 3 };

/* Values of a constant; the first is the most usual one. */
struct axis {
    uint32_t constant, count;
    uint32_t values[MOST_VALUES];
};
enum needs { NOTHING, DOT, SUBGROUPS };
struct space {
    enum shapes shapes;
    enum needs needs;
    struct axis axes[MOST_AXES];
};

#define F32 HEED_TYPE_F32
#define F16 HEED_TYPE_F16
#define BF16 HEED_TYPE_BF16
#define I32 HEED_TYPE_I32
#define I8 HEED_TYPE_I8
#define Q8_0 HEED_TYPE_Q8_0
#define PRODUCT(a, b, bias) ((a) + 16 * (b) + 256 * (bias))
#define PRODUCTS                                                                                   \
    {                                                                                              \
        HEED_MATMUL_TYPES, 6, {                                                                    \
            PRODUCT(F32, F16, F32), PRODUCT(F32, F32, F32), PRODUCT(F32, F16, 0),                  \
                PRODUCT(F32, BF16, BF16), PRODUCT(F16, F16, F16), PRODUCT(BF16, F32, 0)            \
        }                                                                                          \
    }
#define ACTIVATIONS                                                                                \
    {                                                                                              \
        HEED_MATMUL_ACTIVATION, 7, {                                                               \
            0, 1, 2, 3, 4, 5, 6                                                                    \
        }                                                                                          \
    }
#define QUANTIZED                                                                                  \
    {                                                                                              \
        HEED_MATMUL_TYPES, 6, {                                                                    \
            PRODUCT(F32, I8, F32), PRODUCT(0, I8, F32), PRODUCT(0, I8, 0),                         \
                PRODUCT(F32, Q8_0, F32), PRODUCT(0, Q8_0, F32), PRODUCT(0, Q8_0, F16)              \
        }                                                                                          \
    }
#define ALONG                                                                                      \
    {                                                                                              \
        HEED_MATMUL_ALONG, 3, {                                                                    \
            2, 1, 0                                                                                \
        }                                                                                          \
    }
#define NORMS                                                                                      \
    {                                                                                              \
        HEED_MATMUL_NORM_TYPES, 2, {                                                               \
            F32 + 16 * F32, F16 + 16 * F16                                                         \
        }                                                                                          \
    }
#define CHOSEN                                                                                     \
    {                                                                                              \
        HEED_MATMUL_CHOICE_K, 4, {                                                                 \
            1, 4, 8, HEED_MATMUL_CHOICE_MOST                                                       \
        }                                                                                          \
    }
#define TYPES(constant)                                                                            \
    {                                                                                              \
        constant, 5, {                                                                             \
            F32, I32, F16, BF16, I8                                                                \
        }                                                                                          \
    }
#define ATTENTION(k, v, bias) ((k) + 16 * (v) + 256 * (bias))
#define ATTENTIONS                                                                                 \
    {                                                                                              \
        HEED_ATTENTION_TYPES, 6, {                                                                 \
            ATTENTION(F32, F32, 0) + HEED_ATTENTION_WIDE, ATTENTION(F32, F32, 0),                  \
                ATTENTION(F16, F16, 0) + HEED_ATTENTION_WIDE, ATTENTION(BF16, BF16, 0),            \
                ATTENTION(F32, F32, F32) + HEED_ATTENTION_WIDE, ATTENTION(F32, F32, F16)           \
        }                                                                                          \
    }
#define STEP_TYPES                                                                                 \
    {                                                                                              \
        HEED_STEP_TYPES, 4, {                                                                      \
            F16 + 16 * F32, F32 + 16 * F32, F16 + 16 * F16, BF16 + 16 * BF16                       \
        }                                                                                          \
    }
#define QUANTIZED_STEP_TYPES                                                                       \
    {                                                                                              \
        HEED_STEP_TYPES, 4, {                                                                      \
            I8 + 16 * F32, Q8_0 + 16 * F32, I8, Q8_0 + 16 * F16                                    \
        }                                                                                          \
    }

static const struct space spaces[VK_SHADER_COUNT] = {
    [VK_SHADER_MATMUL] = {TILES, NOTHING, {PRODUCTS, ACTIVATIONS}},
    [VK_SHADER_MATMUL_I8] = {TILES,
                             NOTHING,
                             {{HEED_MATMUL_TYPES,
                               3,
                               {PRODUCT(F32, I8, F32), PRODUCT(F32, I8, 0), PRODUCT(F16, I8, F16)}},
                              ACTIVATIONS}},
    [VK_SHADER_MATMUL_SKINNY] = {COLUMNS,
                                 NOTHING,
                                 {PRODUCTS, ACTIVATIONS, {HEED_MATMUL_WIDE, 2, {1, 0}}}},
    [VK_SHADER_MATMUL_COOP_KHR] = {ASIDE, NOTHING, {{0}}},
    [VK_SHADER_MATMUL_COOP_NV] = {ASIDE, NOTHING, {{0}}},
    [VK_SHADER_QUANTIZE_ROWS] = {WIDTH, NOTHING, {{1, 3, {F32, F16, BF16}}}},
    [VK_SHADER_MATMUL_QUANTIZED] = {TILES, NOTHING, {QUANTIZED, ACTIVATIONS, ALONG}},
    [VK_SHADER_MATMUL_QUANTIZED_DOT] = {TILES, DOT, {QUANTIZED, ACTIVATIONS, ALONG}},
    [VK_SHADER_MATMUL_QUANTIZED_SKINNY] = {COLUMNS, NOTHING, {QUANTIZED, ACTIVATIONS, ALONG}},
    [VK_SHADER_MATMUL_QUANTIZED_SKINNY_DOT] = {COLUMNS, DOT, {QUANTIZED, ACTIVATIONS, ALONG}},
    [VK_SHADER_MATMUL_QUANTIZED_NORM] = {TILES, NOTHING, {QUANTIZED, NORMS, ALONG}},
    [VK_SHADER_MATMUL_QUANTIZED_NORM_DOT] = {TILES, DOT, {QUANTIZED, NORMS, ALONG}},
    [VK_SHADER_MATMUL_QUANTIZED_SKINNY_NORM] = {COLUMNS, NOTHING, {QUANTIZED, NORMS, ALONG}},
    [VK_SHADER_MATMUL_QUANTIZED_SKINNY_NORM_DOT] = {COLUMNS, DOT, {QUANTIZED, NORMS, ALONG}},
    [VK_SHADER_MATMUL_QUANTIZED_CHOICE] = {TILES, NOTHING, {QUANTIZED, CHOSEN, ALONG}},
    [VK_SHADER_MATMUL_QUANTIZED_CHOICE_DOT] = {TILES, DOT, {QUANTIZED, CHOSEN, ALONG}},
    [VK_SHADER_MATMUL_QUANTIZED_SKINNY_CHOICE] = {CHOICES, NOTHING, {QUANTIZED, CHOSEN, ALONG}},
    [VK_SHADER_MATMUL_QUANTIZED_SKINNY_CHOICE_DOT] = {CHOICES, DOT, {QUANTIZED, CHOSEN, ALONG}},
    [VK_SHADER_MATMUL_NORM] = {TILES, NOTHING, {PRODUCTS, NORMS}},
    [VK_SHADER_MATMUL_SKINNY_NORM] = {COLUMNS,
                                      NOTHING,
                                      {PRODUCTS, NORMS, {HEED_MATMUL_WIDE, 2, {1, 0}}}},
    [VK_SHADER_MATMUL_CHOICE] = {TILES, NOTHING, {PRODUCTS, CHOSEN}},
    [VK_SHADER_MATMUL_SKINNY_CHOICE] = {CHOICES,
                                        NOTHING,
                                        {PRODUCTS, CHOSEN, {HEED_MATMUL_WIDE, 2, {1, 0}}}},
    [VK_SHADER_ATTENTION] = {ATTENDS, NOTHING, {ATTENTIONS}},
    [VK_SHADER_ATTENTION_SPLIT] = {ATTENDS,
                                   NOTHING,
                                   {ATTENTIONS, {HEED_ATTENTION_SPLITS, 3, {2, 4, 32}}}},
    [VK_SHADER_ATTENTION_COMBINE] = {ROWS, NOTHING, {{1, 1, {0}}}},
    [VK_SHADER_ATTENTION_BLOCK] = {BLOCKS, NOTHING, {ATTENTIONS}},
    [VK_SHADER_ATTENTION_STEP] = {STEP, NOTHING, {STEP_TYPES}},
    [VK_SHADER_ATTENTION_CROSS] = {CROSS, NOTHING, {STEP_TYPES}},
    [VK_SHADER_ATTENTION_STEP_QUANTIZED] = {QUANTIZED_STEP, NOTHING, {QUANTIZED_STEP_TYPES}},
    [VK_SHADER_ATTENTION_STEP_QUANTIZED_DOT] = {QUANTIZED_STEP, DOT, {QUANTIZED_STEP_TYPES}},
    [VK_SHADER_ATTENTION_CROSS_QUANTIZED] = {QUANTIZED_CROSS, NOTHING, {QUANTIZED_STEP_TYPES}},
    [VK_SHADER_ATTENTION_CROSS_QUANTIZED_DOT] = {QUANTIZED_CROSS, DOT, {QUANTIZED_STEP_TYPES}},
    [VK_SHADER_SOFTMAX] = {ROWS, NOTHING, {{1, 2, {0, 1}}}},
    [VK_SHADER_SOFTMAX_SUBGROUP] = {ROWS, SUBGROUPS, {{1, 2, {0, 1}}}},
    [VK_SHADER_LAYER_NORM] = {ROWS, NOTHING, {{1, 3, {F32, F16, BF16}}, {2, 3, {F32, F16, BF16}}}},
    [VK_SHADER_LAYER_NORM_SUBGROUP] = {ROWS,
                                       SUBGROUPS,
                                       {{1, 3, {F32, F16, BF16}}, {2, 3, {F32, F16, BF16}}}},
    [VK_SHADER_BINARY] = {WIDTH,
                          NOTHING,
                          {{1, 2, {HEED_BINARY_ADD, HEED_BINARY_MUL}}, {2, 2, {F32, I32}}}},
    [VK_SHADER_UNARY] = {WIDTH, NOTHING, {{1, 8, {0, 1, 2, 3, 4, 5, 6, HEED_UNARY_SCALE}}}},
    [VK_SHADER_EMBEDDING] = {WIDTH, NOTHING, {{1, 5, {F32, F16, BF16, I8, Q8_0}}}},
    [VK_SHADER_EMBEDDING_POSITIONS] = {WIDTH, NOTHING, {{1, 4, {F32, F16, BF16, Q8_0}}}},
    [VK_SHADER_COPY] = {WIDTH, NOTHING, {TYPES(1)}},
    [VK_SHADER_CAST] = {WIDTH, NOTHING, {TYPES(1), {2, 5, {F16, F32, BF16, I32, I8}}}},
    [VK_SHADER_ARGMAX] = {ROWS, NOTHING, {{1, 2, {F32, I32}}}},
    [VK_SHADER_ARGMAX_SUBGROUP] = {ROWS, SUBGROUPS, {{1, 2, {F32, I32}}}},
    [VK_SHADER_TOP_K] = {ROWS, NOTHING, {{1, 1, {0}}}},
    [VK_SHADER_TOP_K_SUBGROUP] = {ROWS, SUBGROUPS, {{1, 1, {0}}}},
    [VK_SHADER_CACHE_APPEND] = {WIDTH, NOTHING, {TYPES(1), {2, 2, {1, 0}}}},
    [VK_SHADER_GATHER_ROWS] = {WIDTH, NOTHING, {TYPES(1)}},
    [VK_SHADER_ADVANCE] = {WIDTH, NOTHING, {{1, 1, {0}}}},
};

/* ---- shapes ---- */

static bool tile(const struct heed_plugin *plugin, uint32_t index, uint32_t *constants) {
    const uint32_t *at = heedi_vk_choice(plugin, VK_CHOICE_TILE, index);
    if (at == NULL)
        return false;
    constants[HEED_CONSTANT_WIDTH] = at[0] * at[1];
    for (uint32_t i = 0; i < 4; i++)
        constants[HEED_MATMUL_TX + i] = at[i];
    return true;
}

/* Five numbers of rows for each choice. */
static bool columns(const struct heed_plugin *plugin, uint32_t index, uint32_t *constants) {
    const uint32_t *at = heedi_vk_choice(plugin, VK_CHOICE_SKINNY, index / 5);
    if (at == NULL)
        return false;
    constants[HEED_CONSTANT_WIDTH] = at[0] * at[1];
    constants[HEED_MATMUL_ROWS] = 1u << index % 5;
    constants[HEED_MATMUL_LANES] = at[0];
    constants[HEED_MATMUL_COLUMNS] = at[1];
    return true;
}

static bool choices(uint32_t index, uint32_t *constants) {
    heedi_vk_choice_shape(constants);
    constants[HEED_MATMUL_ROWS] = 1u << index;
    return true;
}

static bool step(const struct heed_plugin *plugin, enum shapes shapes, uint32_t index,
                 uint32_t *constants) {
    static const uint32_t widths[] = {32, 64, 96, 128};
    const bool appends = shapes == STEP || shapes == QUANTIZED_STEP;
    const uint32_t d = widths[index / 4], k = shapes == STEP || shapes == CROSS ? 0 : 8 * d;
    return heedi_vk_step_shape(plugin, appends, d, k, 1u << index % 4, constants);
}

/* Writes the constants of shape `index`; false: the device has no such shape. *more: whether there
 * are shapes behind it. */
static bool shape(const struct heed_plugin *plugin, enum shapes shapes, uint32_t index,
                  uint32_t *constants, bool *more) {
    static const uint32_t counts[] = {[WIDTH] = 1,
                                      [ROWS] = 4,
                                      [TILES] = HEED_TUNE_CHOICES,
                                      [COLUMNS] = 5 * HEED_TUNE_CHOICES,
                                      [CHOICES] = 5,
                                      [ATTENDS] = 20,
                                      [BLOCKS] = 9,
                                      [STEP] = 16,
                                      [CROSS] = 16,
                                      [QUANTIZED_STEP] = 16,
                                      [QUANTIZED_CROSS] = 16};
    const uint32_t width = 32u << index % 4, room = 32u << index / 4;
    const uint32_t queries = 8u << index % 3, block_room = 32u << index / 3;
    *more = index + 1 < counts[shapes];
    switch (shapes) {
    case WIDTH:
        constants[HEED_CONSTANT_WIDTH] = heedi_vk_width(plugin);
        return true;
    case ROWS:
        constants[HEED_CONSTANT_WIDTH] = width;
        return width <= plugin->device.limits.workgroup;
    case TILES:
        return tile(plugin, index, constants);
    case COLUMNS:
        return columns(plugin, index, constants);
    case CHOICES:
        return choices(index, constants);
    case ATTENDS:
        constants[HEED_CONSTANT_WIDTH] = width;
        constants[HEED_ATTENTION_ROOM] = room;
        return width <= heedi_vk_attention_most(room) && width <= plugin->device.limits.workgroup;
    case BLOCKS:
        constants[HEED_CONSTANT_WIDTH] = queries * HEED_ATTENTION_LANES;
        constants[HEED_ATTENTION_ROOM] = block_room;
        constants[HEED_ATTENTION_QUERIES] = queries;
        return (block_room < HEED_ATTENTION_MOST_ROOM || queries <= 16) &&
               queries * HEED_ATTENTION_LANES <= plugin->device.limits.workgroup;
    default:
        return step(plugin, shapes, index, constants);
    }
}

/* ---- compiling ---- */

/* Sets all constants to their first values, but number `chosen` of axis `a` to its own. */
static void set_axes(const struct space *space, uint32_t a, uint32_t chosen, uint32_t *constants) {
    for (uint32_t i = 0; i < MOST_AXES; i++)
        if (space->axes[i].count > 0)
            constants[space->axes[i].constant] = space->axes[i].values[i == a ? chosen : 0];
}

static enum heed_status compile_shader(struct heed_plugin *plugin, enum vk_shader shader, bool all,
                                       struct heed_error *error) {
    const struct space *space = &spaces[shader];
    enum heed_status status = HEED_OK;
    bool more = true, first = true;
    if (space->shapes == NONE)
        return heedi_common_fail(error, HEED_ERROR_INTERNAL,
                                 "shader %s has no variants in variants.c",
                                 heedi_vk_shaders[shader].name);
    if (space->shapes == ASIDE ||
        (space->needs == DOT && !plugin->device.features.dot_accelerated) ||
        (space->needs == SUBGROUPS && !plugin->device.features.subgroup_arithmetic))
        return HEED_OK;
    for (uint32_t index = 0; more && status == HEED_OK; index++) {
        uint32_t constants[HEED_MAX_CONSTANTS] = {0};
        if (!shape(plugin, space->shapes, index, constants, &more))
            continue;
        for (uint32_t a = 0; a < (all || first ? MOST_AXES : 1); a++)
            for (uint32_t i = a == 0 ? 0 : 1;
                 i < (all || first ? space->axes[a].count : 1) && status == HEED_OK; i++) {
                VkPipeline pipeline;
                set_axes(space, a, i, constants);
                status = heedi_vk_pipeline(plugin, shader, constants, &pipeline, error);
            }
        first = false;
    }
    return status;
}

enum heed_status heedi_vk_variants(struct heed_plugin *plugin, struct heed_error *error) {
    const char *wanted = getenv("HEED_VULKAN_VARIANTS");
    const bool all = wanted != NULL && strcmp(wanted, "all") == 0;
    enum heed_status status = HEED_OK;
    if (!all && (wanted == NULL || strcmp(wanted, "some") != 0))
        return HEED_OK;
    for (uint32_t i = 0; i < VK_SHADER_COUNT && status == HEED_OK; i++)
        status = compile_shader(plugin, (enum vk_shader)i, all, error);
    return status;
}
