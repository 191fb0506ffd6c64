/* SPDX-License-Identifier: Apache-2.0 */
/* Making translators and translating one text. */
#include "models/translator.h"

#include <string.h>

#define DEFAULT_BATCH_TOKENS 1024u

/* An executor of the translator's own, with as many threads as asked for. */
static enum heed_status make_executor(struct heed_context *context,
                                      const struct heed_translator_options *options,
                                      struct heed_executor **executor) {
    const struct heed_pool_options pool_options = {.struct_size = sizeof pool_options,
                                                   .threads = options->threads};
    struct heed_executor_options executor_options = {.struct_size = sizeof executor_options,
                                                     .backends = options->backends};
    enum heed_status status = heed_pool_create(context, &pool_options, &executor_options.pool);
    if (status == HEED_OK)
        status = heed_executor_create(context, &executor_options, executor);
    heed_pool_release(executor_options.pool);
    return status;
}

static enum heed_status check_options(struct heed_context *context, const struct heed_model *model,
                                      const struct heed_translator_options *options) {
    if (options->beam > 1)
        return heedi_fail(
            context, HEED_ERROR_UNSUPPORTED,
            "beam: expected 1 (greedy search), found %u: beam search is not there yet",
            options->beam);
    if (options->steps_per_submit > HEED_MAX_STEPS_PER_SUBMIT)
        return heedi_fail(context, HEED_ERROR_LIMIT,
                          "steps_per_submit: expected at most %d, found %u",
                          HEED_MAX_STEPS_PER_SUBMIT, options->steps_per_submit);
    if (options->max_length > model->generation.max_positions)
        return heedi_fail(context, HEED_ERROR_LIMIT,
                          "max_length: expected at most %u (the positions of %s), found %u",
                          model->generation.max_positions, model->path, options->max_length);
    return HEED_OK;
}

enum heed_status heed_translator_create(struct heed_context *context, struct heed_model *model,
                                        const struct heed_translator_options *given,
                                        struct heed_translator **result) {
    struct heed_translator_options options;
    *result = NULL;
    enum heed_status status =
        heedi_read_options(context, "heed_translator_options", given, &options, sizeof options);
    if (status == HEED_OK)
        status = check_options(context, model, &options);
    if (status != HEED_OK)
        return status;
    struct heed_translator *translator = heedi_calloc(&context->env, 1, sizeof *translator);
    if (!translator)
        return heedi_fail_memory(context, "a translator", sizeof *translator);
    translator->env = context->env;
    translator->context = context;
    translator->model = heed_model_retain(model);
    translator->max_length = options.max_length ? options.max_length : model->generation.max_length;
    translator->max_batch_tokens =
        options.max_batch_tokens ? options.max_batch_tokens : DEFAULT_BATCH_TOKENS;
    heedi_greedy_init(&translator->greedy, &context->env);
    if (options.executor) {
        translator->executor = heed_executor_retain(options.executor);
        status = heedi_model_note_executor(context, model, options.executor);
    } else {
        status = make_executor(context, &options, &translator->executor);
    }
    if (status == HEED_OK) {
        const struct heedi_session_options session = {.executor = translator->executor,
                                                      .profile = options.profile,
                                                      .shadow = options.shadow,
                                                      .steps_per_submit = options.steps_per_submit};
        status = model->network->session_create(context, model, &session, &translator->session);
    }
    if (status != HEED_OK) {
        heed_translator_destroy(translator);
        return status;
    }
    *result = translator;
    return HEED_OK;
}

void heed_translator_destroy(struct heed_translator *translator) {
    if (!translator)
        return;
    const struct heedi_env env = translator->env;
    heedi_greedy_clear(&translator->greedy);
    if (translator->session)
        translator->session->table->destroy(translator->session);
    heed_executor_release(translator->executor);
    heed_model_close(translator->model);
    heedi_free(&env, translator);
}

struct single {
    struct heed_translator *translator;
    enum heed_status status;
    char *text;
};

static int keep_single(void *user, size_t index, const struct heed_translation *translation) {
    struct single *single = user;
    (void)index;
    single->status = translation->status;
    if (translation->status != HEED_OK)
        return 0;
    single->text = heedi_strdup(&single->translator->env, translation->text);
    if (!single->text)
        single->status = heedi_fail_memory(single->translator->context, "a translation",
                                           strlen(translation->text) + 1);
    return 0;
}

enum heed_status heed_translate(struct heed_translator *translator, const char *text,
                                char **translation) {
    struct single single = {translator, HEED_OK, NULL};
    *translation = NULL;
    const enum heed_status status =
        heed_translate_many(translator, &text, NULL, 1, keep_single, &single);
    if (status != HEED_OK || single.status != HEED_OK)
        return status != HEED_OK ? status : single.status;
    *translation = single.text;
    return HEED_OK;
}

void heed_string_free(struct heed_translator *translator, char *string) {
    if (translator && string)
        heedi_free(&translator->env, string);
}
