/* SPDX-License-Identifier: Apache-2.0 */
/* A decoder's attention, step after step, in double precision. */
#include "tests/support/step.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/ops.h"

static uint32_t bits = 2024;

void support_draw_from(uint32_t seed) {
    bits = seed;
}

int support_draw(int below) {
    bits = bits * 1664525u + 1013904223u;
    return (int)((bits >> 8) % (uint32_t)below);
}

static float support_draw_float(float most) {
    return ((float)support_draw(1 << 24) * 0x1p-23f - 1.0f) * most;
}

void *support_room(size_t count, size_t bytes) {
    void *memory = calloc(count > 0 ? count : 1, bytes);
    assert_non_null(memory);
    return memory;
}

float *support_draw_floats(size_t count, float most) {
    float *values = support_room(count, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = support_draw_float(most);
    return values;
}

/* ---- weights ---- */

/* What a number means when it is stored. */
static float put(enum heed_dtype type, void *stored, size_t i, float value) {
    if (type == HEED_F16)
        return heed_f16_to_f32(((uint16_t *)stored)[i] = heed_f32_to_f16(value));
    if (type == HEED_BF16)
        return heed_bf16_to_f32(((uint16_t *)stored)[i] = heed_f32_to_bf16(value));
    return ((float *)stored)[i] = value;
}

/* Numbers below `most` in whole parts of a scale, one for each row of k or each block of them. */
static void draw_integers(struct support_step *model, int part, float most) {
    const bool blocks = model->shape.type == HEED_Q8_0;
    const size_t k = (size_t)model->shape.k, each = blocks ? HEED_Q8_0_VALUES : k;
    for (size_t i = 0; i < (size_t)model->n * k; i++) {
        struct heed_q8_0 *block = (struct heed_q8_0 *)model->stored[part] + i / HEED_Q8_0_VALUES;
        float *scale = &model->scales[part][i / each];
        if (i % each == 0) {
            const float drawn = (float)(1 + support_draw(1000)) * most * 0x1p-17f;
            *scale = blocks ? heed_f16_to_f32(heed_f32_to_f16(drawn)) : drawn;
        }
        const int8_t value = (int8_t)(support_draw(256) - 128);
        model->weights[part][i] = (float)value * *scale;
        if (blocks) {
            block->scale = heed_f32_to_f16(*scale);
            block->values[i % HEED_Q8_0_VALUES] = value;
        } else {
            ((int8_t *)model->stored[part])[i] = value;
        }
    }
}

static void draw_weights(struct support_step *model, int part) {
    const struct support_shape *shape = &model->shape;
    const size_t count = (size_t)model->n * (size_t)shape->k;
    const float most = sqrtf(3.0f / (float)shape->k);
    model->stored[part] = support_room(count, sizeof(float)); /* the widest type */
    model->scales[part] = support_room(count, sizeof(float)); /* (the most that there may be) */
    model->weights[part] = support_room(count, sizeof(float));
    if (shape->type == HEED_I8 || shape->type == HEED_Q8_0) {
        draw_integers(model, part, most);
        return;
    }
    for (size_t i = 0; i < count; i++)
        model->weights[part][i] =
            put(shape->type, model->stored[part], i, support_draw_float(most));
}

/* ---- the model ---- */

size_t support_step_cache_elems(const struct support_step *model) {
    return (size_t)(model->shape.cross ? 1 : model->shape.slots) * (size_t)model->shape.keys *
           (size_t)model->n;
}

void support_step_create(struct support_step *model, const struct support_shape *shape) {
    *model = (struct support_step){
        .shape = *shape, .n = shape->heads * shape->d, .parts = shape->cross ? 1 : SUPPORT_PARTS};
    const size_t n = (size_t)model->n, k = (size_t)shape->k;
    for (int i = 0; i < model->parts; i++) {
        draw_weights(model, i);
        model->biases[i] = support_draw_floats(n, 0.5f);
    }
    model->x = support_room((size_t)shape->rows * k, sizeof *model->x);
    model->products =
        support_room((size_t)shape->rows * SUPPORT_PARTS * n, sizeof *model->products);
    for (int i = 0; i < 2; i++)
        model->caches[i] = support_room(support_step_cache_elems(model), sizeof *model->caches[i]);
}

void support_step_destroy(struct support_step *model) {
    for (int i = 0; i < SUPPORT_PARTS; i++) {
        free(model->stored[i]);
        free(model->scales[i]);
        free(model->weights[i]);
        free(model->biases[i]);
    }
    free(model->x);
    free(model->products);
    for (int i = 0; i < 2; i++)
        free(model->caches[i]);
}

void support_step_draw(struct support_step *model, int step) {
    const struct support_shape *shape = &model->shape;
    for (int i = 0; i < shape->rows; i++) {
        const int slot = shape->tables ? (i + step * 3) % shape->slots : i;
        model->row[i] = slot;
        model->position[i] = (slot % 5) * shape->keys / 6 + step;
        model->key_len[i] = model->position[i] + 1;
        const int odd = support_draw(10);
        if (odd == 0) { /* idle */
            model->row[i] = -1;
            model->position[i] = shape->keys;
            model->key_len[i] = 0;
        } else if (odd == 1)
            model->key_len[i] = shape->keys + 100;
        else if (odd == 2)
            model->position[i] = support_draw(2) == 0 ? -1 : shape->keys;
        else if (odd == 3)
            model->key_len[i] -= support_draw(3);
        else if (odd == 4)
            model->row[i] = shape->slots + support_draw(3);
        else if (odd == 5)
            model->key_len[i] = -7;
        if (shape->cross && odd > 4)
            model->row[i] = support_draw(shape->slots);
        if (!shape->tables)
            model->row[i] = i;
        model->seen[i] = shape->elsewhere ? (slot + 1) % shape->slots : model->row[i];
    }
    int at = support_draw(2);
    for (int i = 0; i <= shape->slots; i++) {
        model->offsets[i] = at;
        at += support_draw(4) == 0 ? 0 : support_draw(2 * shape->keys / shape->slots + 1);
    }
    for (int i = 0; i < shape->rows * shape->k; i++)
        model->x[i] = support_draw_float(1.7f);
}

/* x as its products see it. */
static void see_x(const struct support_step *model, int i, double *seen) {
    const int k = model->shape.k;
    const float *x = model->x + i * k;
    const bool integers = model->shape.type == HEED_I8 || model->shape.type == HEED_Q8_0;
    float greatest = 0, factor = 0;
    for (int p = 0; p < k; p++)
        greatest = fmaxf(greatest, fabsf(x[p]));
    const float scale = heed_quantize_scale(greatest, &factor);
    for (int p = 0; p < k; p++)
        seen[p] = integers ? (double)heed_quantize(x[p], factor) * (double)scale : (double)x[p];
}

void support_step_multiply(struct support_step *model) {
    const struct support_shape *shape = &model->shape;
    double *seen = support_room((size_t)shape->k, sizeof *seen);
    for (int i = 0; i < shape->rows; i++) {
        see_x(model, i, seen);
        for (int j = 0; j < model->parts * model->n; j++) {
            const int part = j / model->n, column = j % model->n;
            double sum = shape->bias ? (double)model->biases[part][column] : 0;
            for (int p = 0; p < shape->k; p++)
                sum += seen[p] * (double)model->weights[part][column * shape->k + p];
            model->products[(i * SUPPORT_PARTS + part) * model->n + column] = sum;
        }
    }
    free(seen);
}

void support_step_append(struct support_step *model) {
    const struct support_shape *shape = &model->shape;
    for (int i = 0; i < shape->rows; i++)
        for (int part = 0; part < 2; part++)
            if (model->row[i] >= 0 && model->row[i] < shape->slots && model->position[i] >= 0 &&
                model->position[i] < shape->keys)
                memcpy(model->caches[part] +
                           (model->row[i] * shape->keys + model->position[i]) * model->n,
                       model->products + (i * SUPPORT_PARTS + 1 + part) * model->n,
                       (size_t)model->n * sizeof *model->products);
}

static int clamp(int value, int low, int high) {
    return value < low ? low : value > high ? high : value;
}

void support_step_attend(const struct support_step *model, int i, int head, double *y) {
    const struct support_shape *shape = &model->shape;
    const int row = model->seen[i], n = model->n, d = shape->d;
    int first = row * shape->keys, count = clamp(model->key_len[i], 0, shape->keys);
    memset(y, 0, (size_t)d * sizeof *y);
    if (row < 0 || row >= shape->slots)
        return;
    if (shape->cross) {
        first = clamp(model->offsets[row], 0, shape->keys);
        count = clamp(model->offsets[row + 1], first, shape->keys) - first;
    }
    const double *q = model->products + i * SUPPORT_PARTS * n + head * d;
    double total = 0;
    for (int key = first; key < first + count; key++) {
        double score = 0;
        for (int c = 0; c < d; c++)
            score += q[c] * model->caches[0][key * n + head * d + c];
        const double weight = exp(score / sqrt(d)); /* scores are small */
        for (int c = 0; c < d; c++)
            y[c] += weight * model->caches[1][key * n + head * d + c];
        total += weight;
    }
    for (int c = 0; c < d && total > 0; c++)
        y[c] /= total;
}
