/* SPDX-License-Identifier: Apache-2.0 */
/* From text to token ids and back: pieces (text/pieces.h) and vocabularies together.
 *
 * Encoding: a leading ">>xxx<<" is one entry of the vocabulary (it selects the target language);
 * the rest is cut into pieces; pieces map to ids through the vocabulary (not SentencePiece's own
 * ids), missing ones to <unk>; eos is appended. Decoding: ids map to pieces, special ones are left
 * out, the target model joins the rest.
 *
 * Thread rule: immutable once made; any number of threads. */
#ifndef HEEDI_TEXT_TOKENIZER_H
#define HEEDI_TEXT_TOKENIZER_H

#include "models/text/pieces.h"
#include "models/text/vocabulary.h"
#include "runtime/base/context.h"

/* What a tokenizer is made of. `target_*` NULL: the same as the source. Owned by the tokenizer once
 * heedi_tokenizer_init succeeded. */
struct heedi_tokenizer {
    struct heedi_pieces *source_pieces, *target_pieces;
    struct heedi_vocabulary *source_vocabulary, *target_vocabulary;
    int32_t unknown; /* in the source vocabulary */
    int32_t target_unknown;
    int32_t eos; /* in both */
    int32_t pad;
};

/* A growing list of token ids. */
struct heedi_tokens {
    struct heedi_env env;
    int32_t *ids;
    size_t count, capacity;
};

void heedi_tokens_init(struct heedi_tokens *tokens, const struct heedi_env *env);
void heedi_tokens_clear(struct heedi_tokens *tokens); /* frees */
enum heed_status heedi_tokens_append(struct heed_context *context, struct heedi_tokens *tokens,
                                     int32_t id);

/* Finds <unk> in the vocabularies and checks eos and pad. `file` is for messages. */
enum heed_status heedi_tokenizer_init(struct heed_context *context, const char *file,
                                      struct heedi_tokenizer *tokenizer, int32_t eos, int32_t pad);
void heedi_tokenizer_clear(struct heedi_tokenizer *tokenizer);

/* Appends the ids of a text to `tokens`; *count is how many, eos included: 1 for a text without
 * pieces, such as white space. HEED_ERROR_FORMAT where the text is not UTF-8. On failure `tokens`
 * is as before. */
enum heed_status heedi_tokenizer_encode(struct heed_context *context,
                                        const struct heedi_tokenizer *tokenizer, const char *text,
                                        size_t bytes, struct heedi_tokens *tokens, size_t *count);
/* The text of token ids, NUL-terminated, to be freed with heedi_free. Ids outside the vocabulary
 * are left out. */
enum heed_status heedi_tokenizer_decode(struct heed_context *context,
                                        const struct heedi_tokenizer *tokenizer, const int32_t *ids,
                                        size_t count, char **text);

#endif
