/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a vocab.json. */
#include "models/text/vocabulary.h"
#include "fuzz.h"

volatile uint32_t fuzz_sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    struct heed_context *context;
    struct heedi_vocabulary *vocabulary = NULL;
    if (heed_context_create(NULL, &context) != HEED_OK)
        abort();
    if (heedi_vocabulary_parse(context, "vocab.json", (const char *)data, bytes, &vocabulary) ==
        HEED_OK) {
        for (int32_t id = 0; id < heedi_vocabulary_size(vocabulary); id++) {
            const struct heedi_slice piece = heedi_vocabulary_piece(vocabulary, id);
            fuzz_touch(piece.data, piece.bytes + 1);
            if (heedi_vocabulary_find(vocabulary, piece.data, piece.bytes) != id)
                abort();
        }
    } else if (vocabulary != NULL || heed_last_error(context)[0] == '\0') {
        abort();
    }
    heedi_vocabulary_destroy(vocabulary);
    heed_context_destroy(context);
    return 0;
}
