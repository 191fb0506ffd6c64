/* SPDX-License-Identifier: Apache-2.0 */
/* From text to token ids and back. */
#include "models/text/tokenizer.h"

#include <string.h>

#include "models/text/utf8.h"

void heedi_tokens_init(struct heedi_tokens *tokens, const struct heedi_env *env) {
    memset(tokens, 0, sizeof *tokens);
    tokens->env = *env;
}

void heedi_tokens_clear(struct heedi_tokens *tokens) {
    if (tokens->ids)
        heedi_free(&tokens->env, tokens->ids);
    tokens->ids = NULL;
    tokens->count = tokens->capacity = 0;
}

enum heed_status heedi_tokens_append(struct heed_context *context, struct heedi_tokens *tokens,
                                     int32_t id) {
    if (tokens->count == tokens->capacity) {
        const size_t capacity = tokens->capacity ? 2 * tokens->capacity : 256;
        int32_t *ids =
            heedi_grow(&tokens->env, tokens->ids, tokens->count, capacity, sizeof *tokens->ids);
        if (!ids)
            return heedi_fail_memory(context, "token ids", capacity * sizeof *ids);
        tokens->ids = ids;
        tokens->capacity = capacity;
    }
    tokens->ids[tokens->count++] = id;
    return HEED_OK;
}

static const struct heedi_vocabulary *target_vocabulary(const struct heedi_tokenizer *tokenizer) {
    return tokenizer->target_vocabulary ? tokenizer->target_vocabulary
                                        : tokenizer->source_vocabulary;
}

enum heed_status heedi_tokenizer_init(struct heed_context *context, const char *file,
                                      struct heedi_tokenizer *tokenizer, int32_t eos, int32_t pad) {
    static const char unknown[] = "<unk>";
    tokenizer->unknown =
        heedi_vocabulary_find(tokenizer->source_vocabulary, unknown, sizeof unknown - 1);
    tokenizer->target_unknown =
        heedi_vocabulary_find(target_vocabulary(tokenizer), unknown, sizeof unknown - 1);
    if (tokenizer->unknown < 0 || tokenizer->target_unknown < 0)
        return heedi_fail(context, HEED_ERROR_FORMAT, "%s: the %s vocabulary has no entry \"%s\"",
                          file, tokenizer->unknown < 0 ? "source" : "target", unknown);
    const int32_t source_size = heedi_vocabulary_size(tokenizer->source_vocabulary);
    const int32_t target_size = heedi_vocabulary_size(target_vocabulary(tokenizer));
    const int32_t size = source_size < target_size ? source_size : target_size;
    if (eos < 0 || eos >= size)
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: eos_token_id: expected an id below %d (the vocabulary), found %d",
                          file, size, eos);
    tokenizer->eos = eos;
    tokenizer->pad = pad;
    return HEED_OK;
}

void heedi_tokenizer_clear(struct heedi_tokenizer *tokenizer) {
    heedi_pieces_destroy(tokenizer->source_pieces);
    heedi_pieces_destroy(tokenizer->target_pieces);
    heedi_vocabulary_destroy(tokenizer->source_vocabulary);
    heedi_vocabulary_destroy(tokenizer->target_vocabulary);
    memset(tokenizer, 0, sizeof *tokenizer);
}

/* Length of a leading ">>xxx<<" without white space inside, 0 if there is none. */
static size_t language_bytes(const char *text, size_t bytes) {
    if (bytes < 5 || memcmp(text, ">>", 2) != 0)
        return 0;
    for (size_t i = 2; i + 1 < bytes; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte <= ' ')
            return 0;
        if (byte == '<' && text[i + 1] == '<')
            return i > 2 ? i + 2 : 0;
    }
    return 0;
}

/* Tokenizers differ in which white space they drop; a text of nothing else has no pieces. */
static bool is_blank(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (text[i] != ' ' && !(text[i] >= '\t' && text[i] <= '\r'))
            return false;
    return true;
}

struct encoding {
    struct heed_context *context;
    const struct heedi_tokenizer *tokenizer;
    struct heedi_tokens *tokens;
};

static enum heed_status append_piece(void *user, const char *piece, size_t bytes) {
    const struct encoding *encoding = user;
    const struct heedi_tokenizer *tokenizer = encoding->tokenizer;
    const int32_t id = heedi_vocabulary_find(tokenizer->source_vocabulary, piece, bytes);
    return heedi_tokens_append(encoding->context, encoding->tokens,
                               id >= 0 ? id : tokenizer->unknown);
}

enum heed_status heedi_tokenizer_encode(struct heed_context *context,
                                        const struct heedi_tokenizer *tokenizer, const char *text,
                                        size_t bytes, struct heedi_tokens *tokens, size_t *count) {
    struct encoding encoding = {context, tokenizer, tokens};
    const size_t start = tokens->count;
    size_t offset = 0;
    if (!heedi_utf8_valid(text, bytes, &offset))
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "the text is not valid UTF-8: ill-formed at byte %zu of %zu", offset,
                          bytes);
    enum heed_status status = HEED_OK;
    const size_t language = language_bytes(text, bytes);
    if (language)
        status = append_piece(&encoding, text, language);
    const size_t before = tokens->count;
    if (status == HEED_OK && !is_blank(text + language, bytes - language))
        status = heedi_pieces_encode(context, tokenizer->source_pieces, text + language,
                                     bytes - language, append_piece, &encoding);
    if (status == HEED_OK && tokens->count == before)
        tokens->count = start; /* a language and nothing to say in it */
    if (status == HEED_OK)
        status = heedi_tokens_append(context, tokens, tokenizer->eos);
    if (status != HEED_OK) {
        tokens->count = start;
        return status;
    }
    *count = tokens->count - start;
    return HEED_OK;
}

struct decoding {
    struct heed_context *context;
    char *text;
};

/* Keeps a copy without leading and trailing spaces. */
static enum heed_status keep_text(void *user, const char *data, size_t bytes) {
    struct decoding *decoding = user;
    while (bytes && data[0] == ' ') {
        data++;
        bytes--;
    }
    while (bytes && data[bytes - 1] == ' ')
        bytes--;
    decoding->text = heedi_calloc(&decoding->context->env, bytes + 1, 1);
    if (!decoding->text)
        return heedi_fail_memory(decoding->context, "a translation", bytes + 1);
    memcpy(decoding->text, data, bytes);
    return HEED_OK;
}

enum heed_status heedi_tokenizer_decode(struct heed_context *context,
                                        const struct heedi_tokenizer *tokenizer, const int32_t *ids,
                                        size_t count, char **text) {
    const struct heedi_vocabulary *vocabulary = target_vocabulary(tokenizer);
    struct decoding decoding = {context, NULL};
    struct heedi_slice *pieces = heedi_calloc(&context->env, count, sizeof *pieces);
    if (!pieces)
        return heedi_fail_memory(context, "pieces", count * sizeof *pieces);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t id = ids[i];
        if (id >= 0 && id < heedi_vocabulary_size(vocabulary) && id != tokenizer->eos &&
            id != tokenizer->pad && id != tokenizer->target_unknown)
            pieces[kept++] = heedi_vocabulary_piece(vocabulary, id);
    }
    const enum heed_status status = heedi_pieces_decode(
        context, tokenizer->target_pieces ? tokenizer->target_pieces : tokenizer->source_pieces,
        pieces, kept, keep_text, &decoding);
    heedi_free(&context->env, pieces);
    if (status == HEED_OK)
        *text = decoding.text;
    return status;
}
