/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting text into pieces and joining pieces into text. SentencePiece (Kudo and Richardson 2018)
 * is the first implementation; no C++ type and no exception leaves it.
 *
 * Thread rule: after creation any number of threads may encode and decode at once. */
#ifndef HEEDI_TEXT_PIECES_H
#define HEEDI_TEXT_PIECES_H

#include "heed/status.h"
#include "runtime/io/weights.h"

struct heedi_pieces;

/* Receives a stretch of bytes, valid during the call; anything but HEED_OK ends the work with that
 * status. */
typedef enum heed_status (*heedi_bytes_fn)(void *user, const char *data, size_t bytes);

/* From the bytes of a .spm file, which are copied. `file` is for messages. */
enum heed_status heedi_sentencepiece_create(struct heed_context *context, const char *file,
                                            const void *data, size_t bytes,
                                            struct heedi_pieces **pieces);
void heedi_pieces_destroy(struct heedi_pieces *pieces); /* NULL is allowed */

/* Calls fn with every piece of a text (valid UTF-8; NUL is a character like any other). */
enum heed_status heedi_pieces_encode(struct heed_context *context,
                                     const struct heedi_pieces *pieces, const char *text,
                                     size_t bytes, heedi_bytes_fn fn, void *user);
/* Joins pieces; calls fn once with the text. */
enum heed_status heedi_pieces_decode(struct heed_context *context,
                                     const struct heedi_pieces *pieces,
                                     const struct heedi_slice *list, size_t count,
                                     heedi_bytes_fn fn, void *user);

#endif
