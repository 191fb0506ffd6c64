/* SPDX-License-Identifier: Apache-2.0 */
/* Marian models packaged as one GGUF v3 file.
 *
 * general.architecture = "marian"; the configuration under the names of config.json with "marian."
 * in front; tensors under Hugging Face's names. tokenizer.ggml.model = "marian";
 * tokenizer.ggml.tokens holds the source vocabulary by id (and the target's, unless
 * marian.tokenizer.target_tokens is there); marian.tokenizer.source_spm and .target_spm hold the
 * bytes of the SentencePiece models (the second is left out where they are equal). */
#ifndef HEEDI_MARIAN_PACKAGE_H
#define HEEDI_MARIAN_PACKAGE_H

#include "models/marian/marian.h"

enum heed_status heedi_marian_package(struct heed_context *context, const struct heed_model *model,
                                      struct heedi_gguf_writer *writer, enum heed_dtype matrices);

#endif
