/* SPDX-License-Identifier: Apache-2.0 */
/* HEED_VULKAN_LIMITS="name=value,...": a large device shows what a small one would do, so that
 * tests cover every path. A limit is lowered, never raised. */
#include <stdlib.h>
#include <string.h>

#include "vulkan.h"

/* A number named by the setting. */
struct limit {
    const char *name;
    uint64_t least; /* a smaller value leaves nothing */
    uint32_t *value;
    uint64_t *large; /* or this */
};

static const char *apply_number(const struct limit *limit, uint64_t value) {
    if (value < limit->least)
        return "expected more than that";
    if (limit->value != NULL && value < *limit->value)
        *limit->value = (uint32_t)value;
    if (limit->large != NULL && value < *limit->large)
        *limit->large = value;
    return NULL;
}

/* The other way: more is stricter, up to what Vulkan allows. */
static const char *apply_alignment(struct vk_limits *limits, uint64_t value) {
    if (value == 0 || value > 256 || (value & (value - 1)) != 0)
        return "expected a power of two, at most 256";
    if (value > limits->align_bytes)
        limits->align_bytes = (uint32_t)value;
    return NULL;
}

/* A size of subgroups cannot be chosen, only whether they are used. */
static const char *apply_subgroup(struct vk_device *device, uint64_t value) {
    if (value != 0 && value != device->limits.subgroup)
        return device->limits.subgroup != 0 ? "expected 0, or the size that the device has" : NULL;
    if (value == 0) {
        device->limits.subgroup = 0;
        device->features.subgroup_arithmetic = false;
        device->features.subgroup_control = false;
    }
    return NULL;
}

/* Features are taken away by 0. 1 leaves them, but for dot products, which it has used where they
 * are there though not accelerated. */
static const char *apply_feature(struct vk_features *features, const char *name, uint64_t value) {
    if (value > 1)
        return "expected 0 or 1";
    if (strcmp(name, "dot") == 0)
        features->dot_accelerated = value == 1 && features->dot;
    if (value == 1)
        return NULL;
    if (strcmp(name, "f16") == 0)
        features->float16 = features->storage16 = false;
    else if (strcmp(name, "i8") == 0)
        features->int8 = features->storage8 = false;
    else if (strcmp(name, "dot") == 0)
        features->dot = false;
    else
        features->coop_khr = features->coop_nv = false;
    return NULL;
}

/* NULL, or what is wrong with it. */
static const char *apply(struct vk_device *device, const char *name, uint64_t value) {
    struct vk_limits *limits = &device->limits;
    const struct limit numbers[] = {
        {"workgroup", 1, &limits->workgroup, NULL},
        {"groups", 1, &limits->groups, NULL},
        {"shared", 1, &limits->shared_bytes, NULL},
        {"descriptors", 1, &limits->descriptors, NULL},
        {"range", 1, NULL, &limits->range_bytes},
        {"allocation", 1, NULL, &limits->allocation_bytes},
        {"heap", 1, NULL, &limits->heap_bytes},
        {"work", 1, NULL, &limits->work},
        {"unified", 0, &limits->unified, NULL},
        {"fuse", 0, &limits->fuse, NULL},
    };
    static const char *const features[] = {"f16", "i8", "dot", "coop"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(name, numbers[i].name) == 0)
            return apply_number(&numbers[i], value);
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        if (strcmp(name, features[i]) == 0)
            return apply_feature(&device->features, name, value);
    if (strcmp(name, "align") == 0)
        return apply_alignment(limits, value);
    if (strcmp(name, "subgroup") == 0)
        return apply_subgroup(device, value);
    return "unknown name";
}

/* Reads "name=value" of `length` bytes. */
static const char *apply_text(struct vk_device *device, const char *text, size_t length) {
    char name[16];
    const char *equals = memchr(text, '=', length);
    uint64_t value = 0;
    if (equals == NULL || equals + 1 == text + length)
        return "expected name=value";
    if ((size_t)(equals - text) >= sizeof name)
        return "unknown name";
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = '\0';
    for (const char *at = equals + 1; at < text + length; at++) {
        if (*at < '0' || *at > '9' || value > UINT64_MAX / 10 - 1)
            return "expected a number";
        value = 10 * value + (uint64_t)(*at - '0');
    }
    return apply(device, name, value);
}

enum heed_status heedi_vk_limits_lower(struct vk_device *device, struct heed_error *error) {
    const char *at = getenv("HEED_VULKAN_LIMITS");
    while (at != NULL && *at != '\0') {
        const size_t length = strcspn(at, ",");
        const char *reason = apply_text(device, at, length);
        if (reason != NULL)
            return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                     "HEED_VULKAN_LIMITS: '%.*s': %s",
                                     length < 60 ? (int)length : 60, at, reason);
        at += length + (at[length] == ',' ? 1 : 0);
    }
    heedi_vk_features_settle(&device->features);
    return HEED_OK;
}
