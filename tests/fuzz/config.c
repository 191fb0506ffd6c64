/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a config.json, and as a generation_config.json beside a good one. */
#include "fuzz.h"
#include "models/marian/marian.h"

volatile uint32_t fuzz_sink;

static const char good[] =
    "{\"model_type\": \"marian\", \"d_model\": 8, \"encoder_layers\": 2, \"decoder_layers\": 2, "
    "\"encoder_attention_heads\": 2, \"decoder_attention_heads\": 2, \"encoder_ffn_dim\": 12, "
    "\"decoder_ffn_dim\": 12, \"vocab_size\": 40, \"max_position_embeddings\": 64, "
    "\"activation_function\": \"swish\", \"scale_embedding\": true, \"pad_token_id\": 39, "
    "\"eos_token_id\": 0, \"decoder_start_token_id\": 39}";

static void parse(struct heedi_slice json, const struct heedi_slice *generation) {
    struct heed_context *context;
    struct heedi_marian_config config;
    if (heed_context_create(NULL, &context) != HEED_OK)
        abort();
    if (heedi_marian_config_parse(context, "config.json", json, "generation_config.json",
                                  generation, &config) == HEED_OK) {
        /* What the rest of the program relies on. */
        if (config.d_model < 2 || config.d_model % config.encoder_attention_heads != 0 ||
            config.max_length < 1 || config.max_length > config.max_position_embeddings ||
            config.suppressed_count < 1)
            abort();
        for (uint32_t i = 0; i < config.suppressed_count; i++)
            if (config.suppressed[i] < 0 || config.suppressed[i] >= config.decoder_vocab_size)
                abort();
    } else if (heed_last_error(context)[0] == '\0') {
        abort();
    }
    heed_context_destroy(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    const struct heedi_slice input = {(const char *)data, bytes};
    const struct heedi_slice config = {good, sizeof good - 1};
    parse(input, NULL);
    parse(config, &input);
    return 0;
}
