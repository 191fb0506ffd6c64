/* SPDX-License-Identifier: Apache-2.0 */
/* Marian translation models (Junczys-Dowmunt et al. 2018) as Hugging Face publishes them: a
 * post-norm Transformer (Vaswani et al. 2017) with sinusoidal positions. */
#ifndef HEEDI_MARIAN_MARIAN_H
#define HEEDI_MARIAN_MARIAN_H

#include "heed/graph.h"
#include "models/model.h"
#include "runtime/base/arena.h"
#include "runtime/base/os.h"

#define HEEDI_MARIAN_EPS 1e-5f /* of every layer norm; not in the configuration */
#define HEEDI_MARIAN_MAX_LAYERS 256
#define HEEDI_MARIAN_MAX_SUPPRESSED 64

/* Every number of the configuration: X(kind, name, default, least, greatest), a default of -1
 * meaning that the field must be there. The names are those of config.json, and with "marian." in
 * front those of the GGUF file. */
#define HEEDI_MARIAN_FIELDS(X)                                                                     \
    X(SIZE, d_model, -1, 2, 65536)                                                                 \
    X(SIZE, encoder_layers, -1, 1, HEEDI_MARIAN_MAX_LAYERS)                                        \
    X(SIZE, decoder_layers, -1, 1, HEEDI_MARIAN_MAX_LAYERS)                                        \
    X(SIZE, encoder_attention_heads, -1, 1, 65536)                                                 \
    X(SIZE, decoder_attention_heads, -1, 1, 65536)                                                 \
    X(SIZE, encoder_ffn_dim, -1, 1, 1 << 20)                                                       \
    X(SIZE, decoder_ffn_dim, -1, 1, 1 << 20)                                                       \
    X(SIZE, vocab_size, -1, 1, 1 << 24)                                                            \
    X(SIZE, decoder_vocab_size, 0, 0, 1 << 24) /* 0: vocab_size */                                 \
    X(SIZE, max_position_embeddings, -1, 1, 65536)                                                 \
    X(FLAG, scale_embedding, -1, 0, 1)                                                             \
    X(FLAG, static_position_embeddings, 1, 1, 1)                                                   \
    X(FLAG, share_encoder_decoder_embeddings, 1, 0, 1)                                             \
    X(FLAG, tie_word_embeddings, 1, 0, 1)                                                          \
    X(FLAG, normalize_before, 0, 0, 0)                                                             \
    X(FLAG, normalize_embedding, 0, 0, 0)                                                          \
    X(FLAG, add_final_layer_norm, 0, 0, 0)                                                         \
    X(TOKEN, pad_token_id, -1, 0, 1 << 24)                                                         \
    X(TOKEN, eos_token_id, -1, 0, 1 << 24)                                                         \
    X(TOKEN, decoder_start_token_id, -1, 0, 1 << 24)                                               \
    X(TOKEN, forced_eos_token_id, -2, 0, 1 << 24) /* absent: eos */                                \
    X(COUNT, max_length, 0, 0, 1 << 24)           /* 0: max_position_embeddings */                 \
    X(COUNT, num_beams, 1, 1, 65536)

struct heedi_marian_config {
#define HEEDI_MARIAN_MEMBER(kind, name, fallback, least, greatest) int32_t name;
    HEEDI_MARIAN_FIELDS(HEEDI_MARIAN_MEMBER)
#undef HEEDI_MARIAN_MEMBER
    float length_penalty;
    enum heed_activation activation;
    const char *activation_name;                     /* static */
    int32_t suppressed[HEEDI_MARIAN_MAX_SUPPRESSED]; /* tokens that are never generated */
    uint32_t suppressed_count;
};

/* A value of a configuration, wherever it comes from. */
struct heedi_marian_value {
    enum { HEEDI_VALUE_ABSENT, HEEDI_VALUE_NUMBER, HEEDI_VALUE_FLAG, HEEDI_VALUE_OTHER } kind;
    double number; /* of a flag: 0 or 1 */
};
/* Looks a field up; "generation" fields are those of kind TOKEN and COUNT. */
typedef struct heedi_marian_value (*heedi_marian_lookup_fn)(const void *user, const char *name,
                                                            bool generation);

/* Reads and checks all fields of HEEDI_MARIAN_FIELDS and length_penalty. `file` is for messages. */
enum heed_status heedi_marian_config_read(struct heed_context *context, const char *file,
                                          heedi_marian_lookup_fn lookup, const void *user,
                                          struct heedi_marian_config *config);
enum heed_status heedi_marian_config_activation(struct heed_context *context, const char *file,
                                                const char *name, size_t bytes,
                                                struct heedi_marian_config *config);
enum heed_status heedi_marian_config_suppress(struct heed_context *context, const char *file,
                                              struct heedi_marian_config *config, double token);
/* Checks the fields against each other, once all are read; adds pad to the suppressed tokens. */
enum heed_status heedi_marian_config_check(struct heed_context *context, const char *file,
                                           struct heedi_marian_config *config);
/* config.json and generation_config.json (generation NULL: there is none) as text. */
enum heed_status heedi_marian_config_parse(struct heed_context *context, const char *file,
                                           struct heedi_slice json, const char *generation_file,
                                           const struct heedi_slice *generation,
                                           struct heedi_marian_config *config);

/* Weights by their place in the network; references are borrowed from the files, but for
 * `output_bias`. Matrices are [out, in]; i8 ones have a scale per row beside them. */
struct heedi_marian_matrix {
    struct heed_weight *weight;
    struct heed_weight *scale; /* f32 [out]; NULL unless the weight is i8 */
};
struct heedi_marian_linear {
    struct heedi_marian_matrix matrix;
    struct heed_weight *bias;
};
struct heedi_marian_norm {
    struct heed_weight *gamma, *beta;
};
struct heedi_marian_attention {
    struct heedi_marian_linear q, k, v, out;
    struct heedi_marian_norm norm;
};
struct heedi_marian_layer {
    struct heedi_marian_attention self, cross; /* cross: decoder only */
    struct heedi_marian_linear fc1, fc2;
    struct heedi_marian_norm norm;
};

/* The network's part of a model. */
struct heedi_marian {
    struct heedi_marian_config config;
    struct heedi_marian_matrix source_embedding; /* [vocab_size, d_model] */
    struct heedi_marian_matrix target_embedding; /* [decoder_vocab_size, d_model] */
    struct heedi_marian_matrix output;           /* [decoder_vocab_size, d_model] */
    struct heed_weight *logits_bias;             /* final_logits_bias as stored, [1, V] or [V] */
    struct heed_weight *output_bias;           /* [V] f32, -inf at suppressed tokens; a reference */
    struct heed_weight *zero;                  /* [1] i32; a reference */
    struct heedi_marian_layer *encoder;        /* [encoder_layers] */
    struct heedi_marian_layer *decoder;        /* [decoder_layers] */
    struct heedi_slice source_spm, target_spm; /* the files' bytes; equal: one for both */
    struct heedi_mapping spm_mapping[2];       /* what they lie in, for directories */
};

extern const struct heedi_network heedi_marian_network;

static inline struct heedi_marian *heedi_marian_of(const struct heed_model *model) {
    return (struct heedi_marian *)model->data;
}

/* Allocates model->data with a checked configuration, fills model->generation. */
enum heed_status heedi_marian_create(struct heed_context *context, struct heed_model *model,
                                     const struct heedi_marian_config *config);
/* Finds every tensor in model->weights and checks its type and shape against the configuration.
 * `config_file` is where the latter comes from, for messages. */
enum heed_status heedi_marian_bind_weights(struct heed_context *context, struct heed_model *model,
                                           const char *config_file);
/* i8 or q8_0: products with it quantise the other operand as well. */
bool heedi_marian_is_quantized(const struct heed_weight *weight);
/* Calls fn with every weight that the network uses, under the name that it is written with. `scale`
 * is that of an i8 weight, else NULL. */
typedef void (*heedi_marian_weight_fn)(void *user, const char *name, struct heed_weight *weight,
                                       struct heed_weight *scale);
void heedi_marian_each_weight(const struct heedi_marian *marian, heedi_marian_weight_fn fn,
                              void *user);
/* Makes the tokenizer from the .spm bytes in model->data and the vocabularies that are already in
 * model->tokenizer; checks the vocabularies' sizes. The names say where each comes from. */
struct heedi_marian_origin {
    const char *config, *source_spm, *target_spm, *source_vocabulary, *target_vocabulary;
};
enum heed_status heedi_marian_make_tokenizer(struct heed_context *context, struct heed_model *model,
                                             const struct heedi_marian_origin *origin);

#endif
