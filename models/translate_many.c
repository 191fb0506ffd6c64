/* SPDX-License-Identifier: Apache-2.0 */
/* Translating many texts: all are turned into tokens, sorted by length so that the sentences of a
 * batch end at about the same step, packed by tokens, and delivered in their own order. */
#include <stdlib.h>
#include <string.h>

#include "models/translator.h"
#include "runtime/base/os.h"
#include "runtime/exec/executor.h"

/* One text on its way. */
struct item {
    size_t index; /* of the text */
    size_t start; /* of its tokens */
    uint32_t source_tokens;
    enum heed_status status;
    char *error;     /* owned; NULL: none */
    int32_t *tokens; /* owned; NULL: none */
    uint32_t token_count;
    float score;
    bool ready;
};

struct job {
    struct heed_translator *translator;
    struct heed_context *context;
    struct heedi_tokens source;
    struct item *items;          /* [count], in the order of the texts */
    struct item **waiting_items; /* [waiting] those to translate, longest first */
    size_t count, waiting;
    size_t delivered;
    heed_translation_fn fn;
    void *user;
    bool stopped;
};

/* A text that fails on its own account: the call goes on. */
static enum heed_status note_failure(struct job *job, struct item *item, enum heed_status status) {
    const struct heedi_env *env = &job->translator->env;
    item->error = heedi_strdup(env, heed_last_error(job->context));
    item->status = status;
    item->ready = true;
    if (!item->error)
        return heedi_fail_memory(job->context, "an error message", 0);
    return HEED_OK;
}

static enum heed_status tokenize(struct job *job, struct item *item, const char *text,
                                 size_t bytes) {
    const struct heed_model *model = job->translator->model;
    const uint32_t limit = model->generation.max_positions;
    size_t count = 0;
    item->start = job->source.count;
    enum heed_status status =
        heedi_tokenizer_encode(job->context, &model->tokenizer, text, bytes, &job->source, &count);
    if (status == HEED_OK && count > limit) {
        job->source.count = item->start;
        status = heedi_fail(job->context, HEED_ERROR_LIMIT,
                            "the text has %zu tokens, the model takes at most %u", count, limit);
    }
    if (status == HEED_ERROR_FORMAT || status == HEED_ERROR_LIMIT)
        return note_failure(job, item, status);
    if (status != HEED_OK)
        return status;
    item->source_tokens = (uint32_t)count;
    item->ready = count == 1; /* eos alone: nothing to translate */
    return HEED_OK;
}

static enum heed_status tokenize_all(struct job *job, const char *const *texts,
                                     const size_t *lengths) {
    for (size_t i = 0; i < job->count; i++) {
        struct item *item = &job->items[i];
        const size_t bytes = lengths ? lengths[i] : strlen(texts[i]);
        item->index = i;
        const enum heed_status status = tokenize(job, item, texts[i], bytes);
        if (status != HEED_OK)
            return status;
        if (!item->ready)
            job->waiting_items[job->waiting++] = item;
    }
    return HEED_OK;
}

/* Longest first: the batch that needs most memory comes first. */
static int by_length(const void *a, const void *b) {
    const struct item *x = *(const struct item *const *)a, *y = *(const struct item *const *)b;
    if (x->source_tokens != y->source_tokens)
        return x->source_tokens < y->source_tokens ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static enum heed_status deliver(struct job *job) {
    struct heed_translator *translator = job->translator;
    while (!job->stopped && job->delivered < job->count && job->items[job->delivered].ready) {
        struct item *item = &job->items[job->delivered];
        char *text = NULL;
        if (item->token_count > 0) {
            const uint64_t started = heedi_os_now_ns();
            const enum heed_status status =
                heedi_tokenizer_decode(job->context, &translator->model->tokenizer, item->tokens,
                                       item->token_count, &text);
            translator->text_ns += heedi_os_now_ns() - started;
            if (status != HEED_OK)
                return status;
        }
        const struct heed_translation translation = {.struct_size = sizeof translation,
                                                     .status = item->status,
                                                     .text = text ? text : "",
                                                     .error = item->error ? item->error : "",
                                                     .tokens = item->tokens,
                                                     .token_count = item->token_count,
                                                     .source_tokens = item->source_tokens,
                                                     .score = item->score};
        job->stopped = job->fn(job->user, item->index, &translation) != 0;
        if (text)
            heedi_free(&job->context->env, text);
        if (item->tokens)
            heedi_free(&translator->env, item->tokens);
        item->tokens = NULL;
        job->delivered++;
    }
    return HEED_OK;
}

static enum heed_status keep(struct job *job, struct item *item,
                             const struct heedi_hypothesis *hypothesis) {
    const size_t bytes = hypothesis->count * sizeof *item->tokens;
    item->tokens = heedi_calloc(&job->translator->env, hypothesis->count, sizeof *item->tokens);
    if (!item->tokens)
        return heedi_fail_memory(job->context, "target tokens", bytes);
    memcpy(item->tokens, hypothesis->tokens, bytes);
    item->token_count = hypothesis->count;
    item->score = (float)(hypothesis->log_prob / hypothesis->count);
    item->ready = true;
    job->translator->target_tokens += hypothesis->count;
    return HEED_OK;
}

/* Translates some items together. `packed` has room for all their tokens. */
static enum heed_status translate_batch(struct job *job, struct item *const *batch, uint32_t count,
                                        int32_t *packed) {
    struct heed_translator *translator = job->translator;
    struct heedi_hypothesis hypotheses[HEEDI_MAX_ROWS];
    int32_t offsets[HEEDI_MAX_ROWS + 1] = {0};
    for (uint32_t i = 0; i < count; i++) {
        memcpy(packed + offsets[i], job->source.ids + batch[i]->start,
               batch[i]->source_tokens * sizeof *packed);
        offsets[i + 1] = offsets[i] + (int32_t)batch[i]->source_tokens;
    }
    const struct heedi_sources sources = {packed, offsets, count};
    const uint64_t started = heedi_os_now_ns();
    enum heed_status status = HEED_OK;
    uint32_t aside = heedi_executor_aside(translator->executor);
    do { /* a device that was lost on the way is used no more: others begin the batch anew */
        if (aside != translator->aside)
            translator->session->table->reset(translator->session);
        translator->aside = aside;
        status = heedi_greedy_search(&translator->greedy, job->context, translator->session,
                                     &translator->model->generation, translator->max_length,
                                     &sources, hypotheses);
        aside = heedi_executor_aside(translator->executor);
    } while (status != HEED_OK && aside != translator->aside);
    translator->search_ns += heedi_os_now_ns() - started;
    translator->batches++;
    translator->texts += count;
    translator->source_tokens += (uint64_t)offsets[count];
    for (uint32_t i = 0; status == HEED_OK && i < count; i++)
        status = keep(job, batch[i], &hypotheses[i]);
    return status;
}

static enum heed_status translate_all(struct job *job, int32_t *packed) {
    struct item **sorted = job->waiting_items;
    qsort(sorted, job->waiting, sizeof(struct item *), by_length);
    enum heed_status status = deliver(job);
    for (size_t first = 0; status == HEED_OK && !job->stopped && first < job->waiting;) {
        uint64_t tokens = 0;
        uint32_t count = 0;
        while (count < HEEDI_MAX_ROWS && first + count < job->waiting) {
            tokens += sorted[first + count]->source_tokens;
            if (count > 0 && tokens > job->translator->max_batch_tokens)
                break;
            count++;
        }
        status = translate_batch(job, sorted + first, count, packed);
        if (status == HEED_OK)
            status = deliver(job);
        first += count;
    }
    return status;
}

enum heed_status heed_translate_many(struct heed_translator *translator, const char *const *texts,
                                     const size_t *lengths, size_t count, heed_translation_fn fn,
                                     void *user) {
    const struct heedi_env *env = &translator->env;
    struct job job = {.translator = translator,
                      .context = translator->context,
                      .count = count,
                      .fn = fn,
                      .user = user};
    int32_t *packed = NULL;
    enum heed_status status = HEED_OK;
    if (!fn || (count > 0 && !texts))
        return heedi_fail(translator->context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_translate_many: expected texts and a function, found NULL");
    heedi_tokens_init(&job.source, env);
    job.items = heedi_calloc(env, count, sizeof *job.items);
    job.waiting_items = heedi_calloc(env, count, sizeof(struct item *));
    if (!job.items || !job.waiting_items) {
        status = heedi_fail_memory(job.context, "texts", count);
        goto done;
    }
    const uint64_t started = heedi_os_now_ns();
    status = tokenize_all(&job, texts, lengths);
    translator->text_ns += heedi_os_now_ns() - started;
    if (status != HEED_OK)
        goto done;
    packed = heedi_calloc(env, job.source.count, sizeof *packed);
    if (!packed) {
        status = heedi_fail_memory(job.context, "source tokens", job.source.count);
        goto done;
    }
    status = translate_all(&job, packed);
done:
    for (size_t i = 0; job.items && i < count; i++) {
        if (job.items[i].error)
            heedi_free(env, job.items[i].error);
        if (job.items[i].tokens)
            heedi_free(env, job.items[i].tokens);
    }
    if (packed)
        heedi_free(env, packed);
    if (job.waiting_items)
        heedi_free(env, job.waiting_items);
    if (job.items)
        heedi_free(env, job.items);
    heedi_tokens_clear(&job.source);
    return status;
}
