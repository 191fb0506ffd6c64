/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Translating text: the one header that an embedding program reads.
 *
 *     struct heed_context *context = NULL;
 *     struct heed_model *model = NULL;
 *     struct heed_translator *translator = NULL;
 *     char *german = NULL;
 *     if (heed_context_create(NULL, &context) == HEED_OK &&
 *         heed_model_open(context, NULL, &model) == HEED_OK &&
 *         heed_translator_create(context, model, NULL, &translator) == HEED_OK &&
 *         heed_translate(translator, "Two dogs are running in the snow.", &german) == HEED_OK)
 *         puts(german);
 *     else
 *         fprintf(stderr, "%s\n", heed_last_error(context));
 *     heed_string_free(translator, german);
 *     heed_translator_destroy(translator);
 *     heed_model_close(model);
 *     heed_context_destroy(context);
 *
 * Thread rule: a model is immutable, reference-counted and shared by any number of threads. A
 * translator belongs, with its context, to one thread at a time; make one pair per thread.
 * Ownership: every object is released by the function declared beside its creator, in any order
 * (the context last); a translator keeps its model alive. All strings are UTF-8. */
#ifndef HEED_TRANSLATE_H
#define HEED_TRANSLATE_H

#include <stddef.h>
#include <stdint.h>

#include "heed/executor.h"
#include "heed/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct heed_model;
struct heed_translator;
struct heed_shadow;

/** Opens a model: a Hugging Face Marian directory or a packaged GGUF file; NULL: the default model
 * (found relative to the library, or named by HEED_DEFAULT_MODEL in the environment). Weights are
 * mapped, not read. Errors name file, field, expected and actual. */
HEED_API enum heed_status heed_model_open(struct heed_context *context, const char *path,
                                          struct heed_model **model);
/** Adds a reference; returns the model. Any thread. */
HEED_API struct heed_model *heed_model_retain(struct heed_model *model);
/** Drops a reference; NULL is allowed. */
HEED_API void heed_model_close(struct heed_model *model);

struct heed_translator_options {
    uint32_t struct_size;
    /** Retained, by the model too until it is closed (it then takes its programs out of the
     * executor's cache). NULL: made from the two fields below. */
    struct heed_executor *executor;
    const char *backends;         /**< see heed_executor_options.backends */
    uint32_t threads;             /**< 0: as many as the process may use */
    uint32_t beam;                /**< 0 or 1: greedy search; more is refused for now */
    uint32_t max_length;          /**< most target tokens, eos counted; 0: the model's own limit */
    uint32_t max_batch_tokens;    /**< source tokens worked on at once by translate_many; 0: 1024 */
    struct heed_profile *profile; /**< not owned; NULL: none */
    /** Most decoding steps of one submission, up to HEED_MAX_STEPS_PER_SUBMIT; a sentence that ends
     * among them is computed on to the last. The translation is the same for every value. 0:
     * chosen, up to 8 where one GPU does all the work, else 1. */
    uint32_t steps_per_submit;
    /** Runs a share of the sub-graphs on another backend too: see heed/shadow.h. Not owned: it must
     * outlive the translator. Results are the same with it. NULL: none. */
    struct heed_shadow *shadow;
};
#define HEED_MAX_STEPS_PER_SUBMIT 64

/** Makes a translator. `options` may be NULL. */
HEED_API enum heed_status heed_translator_create(struct heed_context *context,
                                                 struct heed_model *model,
                                                 const struct heed_translator_options *options,
                                                 struct heed_translator **translator);
/** After what it gave was freed by heed_string_free(). NULL is allowed. */
HEED_API void heed_translator_destroy(struct heed_translator *translator);

/** Translates one text (a sentence; a text of only white space gives ""). *translation is owned by
 * the caller: heed_string_free(). Errors: HEED_ERROR_FORMAT invalid UTF-8 (byte offset named),
 * HEED_ERROR_LIMIT more tokens than the model has positions. */
HEED_API enum heed_status heed_translate(struct heed_translator *translator, const char *text,
                                         char **translation);

/** One result of heed_translate_many. */
struct heed_translation {
    uint32_t struct_size;
    enum heed_status status; /**< of this text alone */
    const char *text;        /**< "" when status is not HEED_OK */
    const char *error;       /**< "" when status is HEED_OK */
    const int32_t *tokens;   /**< target token ids, eos included */
    uint32_t token_count;
    uint32_t source_tokens; /**< eos included */
    float score;            /**< sum of log-probabilities of the tokens / token_count */
};

/** Receives results in the order of the texts, as soon as each and all before it are ready. The
 * pointers are valid during the call. Returning non-zero stops the work (status HEED_OK). */
typedef int (*heed_translation_fn)(void *user, size_t index,
                                   const struct heed_translation *translation);

/** Translates many texts: sorted by length and packed by tokens within the call, finished sentences
 * dropped; results are the same, bit for bit, as one at a time. `texts` has `count` entries, each
 * of `lengths[i]` bytes, or NUL-terminated where `lengths` is NULL. A text that cannot be
 * translated is reported in its own result; the call fails only when nothing further can be done. A
 * device that is lost, runs out of memory or does not answer is used no more by this executor: the
 * backends after it begin the batch anew. */
HEED_API enum heed_status heed_translate_many(struct heed_translator *translator,
                                              const char *const *texts, const size_t *lengths,
                                              size_t count, heed_translation_fn fn, void *user);

/** Frees a string returned by heed_translate(); NULL is allowed. */
HEED_API void heed_string_free(struct heed_translator *translator, char *string);

/** Writes what ran where, memory and time as text lines (what `heed translate --verbose` shows). */
HEED_API void heed_translator_report(const struct heed_translator *translator, FILE *stream);

#ifdef __cplusplus
}
#endif
#endif
