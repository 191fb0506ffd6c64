/* SPDX-License-Identifier: Apache-2.0 */
/* Vocabularies: pieces of text and their ids, both ways. Immutable once made; any thread. */
#ifndef HEEDI_TEXT_VOCABULARY_H
#define HEEDI_TEXT_VOCABULARY_H

#include <stdint.h>

#include "runtime/base/context.h"
#include "runtime/io/weights.h"

struct heedi_vocabulary;

/* From the text of a vocab.json, an object { piece: id }. Ids must be 0 .. entries - 1, each once;
 * so must pieces. `file` names it in messages. */
enum heed_status heedi_vocabulary_parse(struct heed_context *context, const char *file,
                                        const char *json, size_t bytes,
                                        struct heedi_vocabulary **vocabulary);
/* From pieces in the order of their ids; the bytes are copied. */
enum heed_status heedi_vocabulary_create(struct heed_context *context, const char *file,
                                         const struct heedi_slice *pieces, size_t count,
                                         struct heedi_vocabulary **vocabulary);
void heedi_vocabulary_destroy(struct heedi_vocabulary *vocabulary); /* NULL is allowed */

int32_t heedi_vocabulary_size(const struct heedi_vocabulary *vocabulary);
/* -1 where the piece is unknown. */
int32_t heedi_vocabulary_find(const struct heedi_vocabulary *vocabulary, const char *piece,
                              size_t bytes);
/* The piece of an id in [0, size). Lives as long as the vocabulary; NUL-terminated. */
struct heedi_slice heedi_vocabulary_piece(const struct heedi_vocabulary *vocabulary, int32_t id);
/* All pieces, in the order of their ids. */
const struct heedi_slice *heedi_vocabulary_pieces(const struct heedi_vocabulary *vocabulary);

#endif
