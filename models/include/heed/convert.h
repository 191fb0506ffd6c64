/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Looking into model files and packaging them. */
#ifndef HEED_CONVERT_H
#define HEED_CONVERT_H

#include "heed/tensor.h"
#include "heed/translate.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A key and its value in words, "d_model" and "128". Valid during the call. */
typedef void (*heed_model_field_fn)(void *user, const char *key, const char *value);
/** A tensor as stored. Valid during the call. */
typedef void (*heed_model_tensor_fn)(void *user, const char *name,
                                     const struct heed_tensor_desc *desc);

/** Lists the configuration and the tensors of an open model. Either callback may be NULL. */
HEED_API void heed_model_describe(const struct heed_model *model, heed_model_field_fn field,
                                  heed_model_tensor_fn tensor, void *user);

struct heed_convert_options {
    uint32_t struct_size;
    /** HEED_F32, HEED_F16, HEED_I8 or HEED_Q8_0 of matrices; vectors stay f32. A model that is i8
     * or q8_0 already can only be written as such. 0: HEED_F16, or what the model is quantised to.
     */
    enum heed_dtype type;
};

/** Writes an open model as one GGUF v3 file: weights, configuration, vocabulary, tokenizers. `path`
 * is written to a temporary name beside it and renamed on success; on failure nothing is left. */
HEED_API enum heed_status heed_model_convert(struct heed_context *context,
                                             const struct heed_model *model, const char *path,
                                             const struct heed_convert_options *options);

#ifdef __cplusplus
}
#endif
#endif
