/* SPDX-License-Identifier: Apache-2.0 */
/* Models from the inside: what every network has in common, and what each provides. */
#ifndef HEEDI_MODELS_MODEL_H
#define HEEDI_MODELS_MODEL_H

#include "heed/convert.h"
#include "heed/translate.h"
#include "models/text/tokenizer.h"
#include "runtime/base/refcount.h"
#include "runtime/io/weights.h"

struct heedi_session;
struct heedi_session_options;

/* What a kind of network provides; one static table each. */
struct heedi_network {
    const char *name; /* "marian": general.architecture in GGUF files */
    /* Makes a session: the model made ready to run on an executor. Keeps the model alive. */
    enum heed_status (*session_create)(struct heed_context *context, struct heed_model *model,
                                       const struct heedi_session_options *options,
                                       struct heedi_session **session);
    void (*describe)(const struct heed_model *model, heed_model_field_fn field, void *user);
    /* Puts configuration, vocabulary, tokenizers and tensors into a GGUF file. */
    enum heed_status (*package)(struct heed_context *context, const struct heed_model *model,
                                struct heedi_gguf_writer *writer, enum heed_dtype matrices);
    void (*destroy)(struct heed_model *model); /* frees model->data */
};

/* What a search must know. */
struct heedi_generation {
    int32_t start; /* fed at position 0 */
    int32_t eos;
    int32_t forced_eos;     /* the token that ends a sentence at max_length */
    uint32_t max_length;    /* most target tokens, eos counted */
    uint32_t max_positions; /* most source tokens, eos counted, and target positions */
};

struct heed_model {
    struct heedi_env env;
    struct heedi_refcount references;
    uint64_t id; /* unique in the process */
    char *path;  /* as opened, for messages */
    const struct heedi_network *network;
    void *data;                    /* the network's own */
    struct heedi_weights *weights; /* the opened files */
    struct heedi_tokenizer tokenizer;
    struct heedi_generation generation;
    /* Callers' executors that may have programs of this model in their caches. */
    struct heedi_mutex *lock;
    struct heed_executor **executors;
    size_t executor_count;
};

/* What the names of the model's programs in an executor's cache begin with. */
struct heedi_program_prefix {
    char text[40];
};
const char *heedi_program_prefix(struct heedi_program_prefix *prefix,
                                 const struct heed_model *model);
/* Keeps a caller's executor, to drop the model's programs from its cache when the model goes. */
enum heed_status heedi_model_note_executor(struct heed_context *context, struct heed_model *model,
                                           struct heed_executor *executor);

/* Openers of the marian network; `model` is zeroed but for env, id and path, and is cleared by the
 * caller on failure. */
enum heed_status heedi_marian_open_directory(struct heed_context *context,
                                             struct heed_model *model);
enum heed_status heedi_marian_open_package(struct heed_context *context, struct heed_model *model);

/* The path of the default model, to be freed with heedi_free. */
enum heed_status heedi_default_model_path(struct heed_context *context, char **path);

/* Copies an options struct that starts with its size: `size` bytes are known here; absent ones
 * become zero; unknown ones must be zero, else HEED_ERROR_UNSUPPORTED. options may be NULL. */
enum heed_status heedi_read_options(struct heed_context *context, const char *what,
                                    const void *options, void *copy, size_t size);

#endif
