/* SPDX-License-Identifier: Apache-2.0 */
/* Weights: constant tensors with an identity. */
#include "runtime/base/weight.h"

#include <string.h>

#include "runtime/base/shape.h"

enum heed_status heed_weight_create(struct heed_context *context, const char *name,
                                    const struct heed_tensor_desc *desc, const void *data,
                                    heed_release_fn release, void *user,
                                    struct heed_weight **weight) {
    if (weight != NULL)
        *weight = NULL;
    if (context == NULL || name == NULL || desc == NULL || weight == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_weight_create: context, name, desc and weight must not be NULL");
    int64_t elems;
    if (!heedi_shape_check(desc->dtype, desc->rank, desc->dims, &elems, NULL))
        return heedi_fail(context, HEED_ERROR_SHAPE,
                          "weight %s: type, rank or dimensions are out of range", name);
    if (!heed_desc_contiguous(desc))
        return heedi_fail(context, HEED_ERROR_SHAPE, "weight %s: must be contiguous", name);
    if (data == NULL && elems > 0)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT, "weight %s: data is NULL", name);
    struct heed_weight *made = heedi_calloc(&context->env, 1, sizeof *made);
    if (made == NULL)
        return heedi_fail_memory(context, name, sizeof *made);
    made->env = context->env;
    made->name = heedi_strdup(&made->env, name);
    if (made->name == NULL) {
        heedi_free(&context->env, made);
        return heedi_fail_memory(context, "the name of a weight", strlen(name) + 1);
    }
    heedi_ref_init(&made->references);
    made->id = heedi_unique_id();
    made->desc = heed_desc(desc->dtype, desc->rank, desc->dims);
    made->data = data;
    made->release = release;
    made->user = user;
    *weight = made;
    return HEED_OK;
}

struct heed_weight *heed_weight_retain(struct heed_weight *weight) {
    heedi_ref_retain(&weight->references);
    return weight;
}

void heed_weight_release(struct heed_weight *weight) {
    if (weight == NULL || !heedi_ref_release(&weight->references))
        return;
    if (weight->release != NULL)
        weight->release(weight->user);
    const struct heedi_env env = weight->env;
    heedi_free(&env, weight->name);
    heedi_free(&env, weight);
}
