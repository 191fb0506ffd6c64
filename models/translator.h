/* SPDX-License-Identifier: Apache-2.0 */
/* Translators from the inside. */
#ifndef HEEDI_MODELS_TRANSLATOR_H
#define HEEDI_MODELS_TRANSLATOR_H

#include "models/decode/decode.h"

struct heed_translator {
    struct heedi_env env;
    struct heed_context *context; /* where errors of every call go */
    struct heed_model *model;
    struct heed_executor *executor;
    struct heedi_session *session;
    struct heedi_greedy greedy;
    uint32_t max_length;
    uint32_t max_batch_tokens;
    uint32_t aside; /* devices that were set aside when the session was last reset */
    /* For the report. */
    uint64_t texts, batches, source_tokens, target_tokens;
    uint64_t text_ns, search_ns;
};

#endif
