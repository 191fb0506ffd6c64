/* SPDX-License-Identifier: Apache-2.0 */
/* Translators: batches against single sentences, order, limits, threads, stopping. */
#include "tests/unit/models/tiny_marian.h"

#include <pthread.h>

enum { TEXTS = 90, TEXT_BYTES = 96 };

static struct tiny_model weights;
static struct folder folder;
static char texts[TEXTS][TEXT_BYTES];
static const char *list[TEXTS];

/* Texts of 0 to 30 letters, in no order of length. */
static int set_up(void **state) {
    uint32_t seed = 3;
    (void)state;
    folder = tiny_folder(&weights);
    for (int i = 0; i < TEXTS; i++) {
        const int letters = (i * 37) % 31;
        for (int k = 0; k < letters; k++) {
            seed = seed * 1664525u + 1013904223u;
            texts[i][2 * k] = (char)('a' + (seed >> 20) % TINY_LETTERS);
            texts[i][2 * k + 1] = ' ';
        }
        list[i] = texts[i];
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    tiny_remove(&folder);
    return 0;
}

struct result {
    enum heed_status status;
    char text[512], error[256];
    int32_t tokens[TINY_POSITIONS];
    uint32_t token_count, source_tokens;
    float score;
};

struct results {
    struct result list[TEXTS];
    size_t count, stop_after; /* 0: never */
};

static int collect(void *user, size_t index, const struct heed_translation *translation) {
    struct results *results = user;
    assert_int_equal(index, results->count);
    struct result *result = &results->list[results->count++];
    memset(result, 0, sizeof *result);
    result->status = translation->status;
    (void)snprintf(result->text, sizeof result->text, "%s", translation->text);
    (void)snprintf(result->error, sizeof result->error, "%s", translation->error);
    assert_true(translation->token_count <= TINY_POSITIONS);
    if (translation->token_count)
        memcpy(result->tokens, translation->tokens, translation->token_count * sizeof(int32_t));
    result->token_count = translation->token_count;
    result->source_tokens = translation->source_tokens;
    result->score = translation->score;
    return results->stop_after && results->count == results->stop_after;
}

struct session {
    struct heed_context *context;
    struct heed_model *model;
    struct heed_translator *translator;
};

static struct session open_stepping(uint32_t max_length, uint32_t max_batch_tokens,
                                    uint32_t steps) {
    struct session session = {.context = new_context()};
    const struct heed_translator_options options = {.struct_size = sizeof options,
                                                    .backends = "scalar",
                                                    .threads = 1,
                                                    .max_length = max_length,
                                                    .max_batch_tokens = max_batch_tokens,
                                                    .steps_per_submit = steps};
    session.model = tiny_open(session.context, folder.path);
    if (heed_translator_create(session.context, session.model, &options, &session.translator) !=
        HEED_OK)
        fail_msg("no translator: %s", heed_last_error(session.context));
    return session;
}

static struct session open_session(uint32_t max_length, uint32_t max_batch_tokens) {
    return open_stepping(max_length, max_batch_tokens, 0);
}

static void close_session(struct session *session) {
    heed_translator_destroy(session->translator);
    heed_model_close(session->model);
    heed_context_destroy(session->context);
}

static void run(struct session *session, const char *const *some, const size_t *lengths,
                size_t count, struct results *results) {
    results->count = 0;
    if (heed_translate_many(session->translator, some, lengths, count, collect, results) != HEED_OK)
        fail_msg("not translated: %s", heed_last_error(session->context));
}

static struct results together, alone, one;

static void batches_give_the_bits_of_single_sentences(void **state) {
    static const uint32_t sizes[] = {0, 1, 7, 64, 200};
    struct session session = open_session(TINY_POSITIONS, 1);
    uint32_t longest = 0, shortest = UINT32_MAX;
    (void)state;
    alone.count = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        run(&session, &list[i], NULL, 1, &one);
        alone.list[i] = one.list[0];
        longest = one.list[0].token_count > longest ? one.list[0].token_count : longest;
        if (one.list[0].source_tokens > 1 && one.list[0].token_count < shortest)
            shortest = one.list[0].token_count;
    }
    /* Rows leave at different times, and the key/value cache has to grow. */
    assert_true(shortest < 64);
    assert_true(longest > 64);
    close_session(&session);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        session = open_session(TINY_POSITIONS, sizes[i]);
        for (int again = 0; again < 2; again++) {
            run(&session, list, NULL, TEXTS, &together);
            assert_int_equal(together.count, TEXTS);
            assert_memory_equal(together.list, alone.list, sizeof alone.list);
        }
        close_session(&session);
    }
}

/* Rows end in the middle of a series, and series end where the cache or the length does. */
static void steps_at_once_give_the_same_bits(void **state) {
    static const uint32_t lengths[] = {1, 9, TINY_POSITIONS};
    static const uint32_t steps[] = {3, HEED_MAX_STEPS_PER_SUBMIT};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct session session = open_stepping(lengths[i], 0, 1);
        run(&session, list, NULL, TEXTS, &alone);
        close_session(&session);
        for (size_t j = 0; j < sizeof steps / sizeof steps[0]; j++) {
            session = open_stepping(lengths[i], 0, steps[j]);
            run(&session, list, NULL, TEXTS, &together);
            assert_memory_equal(together.list, alone.list, sizeof alone.list);
            close_session(&session);
        }
    }
}

static void scores_are_mean_log_probabilities(void **state) {
    (void)state;
    struct session session = open_session(TINY_POSITIONS, 0);
    run(&session, list, NULL, TEXTS, &together);
    for (size_t i = 0; i < TEXTS; i++) {
        const struct result *result = &together.list[i];
        assert_int_equal(result->status, HEED_OK);
        assert_string_equal(result->error, "");
        if (result->source_tokens == 1) {
            assert_int_equal(result->token_count, 0);
            assert_string_equal(result->text, "");
            continue;
        }
        assert_int_equal(result->tokens[result->token_count - 1], TINY_EOS);
        assert_true(result->score < 0.0f);
        for (uint32_t k = 0; k < result->token_count; k++)
            assert_int_not_equal(result->tokens[k], TINY_PAD);
    }
    close_session(&session);
}

/* max_length - 1 free tokens and a forced eos; what comes before it does not depend on it. */
static void max_length_forces_the_end(void **state) {
    (void)state;
    struct session session = open_session(TINY_POSITIONS, 0);
    run(&session, list, NULL, TEXTS, &alone);
    close_session(&session);
    for (uint32_t length = 1; length < 8; length++) {
        session = open_session(length, 0);
        run(&session, list, NULL, TEXTS, &together);
        for (size_t i = 0; i < TEXTS; i++) {
            const struct result *full = &alone.list[i], *cut = &together.list[i];
            if (full->token_count < length) {
                assert_memory_equal(full, cut, sizeof *full);
                continue;
            }
            /* Its last token is eos even where the model had chosen that itself. */
            assert_int_equal(cut->token_count, length);
            assert_int_equal(cut->tokens[length - 1], TINY_EOS);
            assert_memory_equal(cut->tokens, full->tokens, (length - 1) * sizeof(int32_t));
        }
        close_session(&session);
    }
}

static void bad_texts_are_reported_in_their_place(void **state) {
    static char long_text[2 * TINY_POSITIONS + 2];
    const char *some[] = {"a b", "ab\xff", "c d", long_text, "e\0f", "g"};
    const size_t lengths[] = {3, 3, 3, sizeof long_text - 1, 3, 1};
    (void)state;
    memset(long_text, ' ', sizeof long_text - 1);
    for (size_t i = 0; i < TINY_POSITIONS + 1; i++)
        long_text[2 * i] = 'a';
    struct session session = open_session(6, 0);
    run(&session, some, lengths, 6, &together);
    assert_int_equal(together.count, 6);
    assert_int_equal(together.list[0].status, HEED_OK);
    assert_int_equal(together.list[1].status, HEED_ERROR_FORMAT);
    assert_non_null(strstr(together.list[1].error, "byte 2 of 3"));
    assert_string_equal(together.list[1].text, "");
    assert_int_equal(together.list[2].status, HEED_OK);
    assert_int_equal(together.list[3].status, HEED_ERROR_LIMIT);
    assert_non_null(strstr(together.list[3].error, "152 tokens, the model takes at most 150"));
    assert_int_equal(together.list[4].status, HEED_OK);
    assert_int_equal(together.list[5].status, HEED_OK);

    char *text = NULL;
    assert_int_equal(heed_translate(session.translator, "\xff", &text), HEED_ERROR_FORMAT);
    assert_null(text);
    assert_non_null(strstr(heed_last_error(session.context), "byte 0"));
    assert_int_equal(heed_translate(session.translator, " \t ", &text), HEED_OK);
    assert_string_equal(text, "");
    heed_string_free(session.translator, text);
    heed_string_free(session.translator, NULL);
    close_session(&session);
}

/* 39 letters and eos are as many tokens as there are positions. */
static void the_longest_text_that_fits_is_translated(void **state) {
    char longest[2 * TINY_POSITIONS] = {0};
    (void)state;
    for (size_t i = 0; i < TINY_POSITIONS - 1; i++) {
        longest[2 * i] = 'b';
        longest[2 * i + 1] = ' ';
    }
    const char *text = longest;
    struct session session = open_session(0, 0);
    run(&session, &text, NULL, 1, &one);
    assert_int_equal(one.list[0].status, HEED_OK);
    assert_int_equal(one.list[0].source_tokens, TINY_POSITIONS);
    close_session(&session);
}

static void the_caller_may_stop(void **state) {
    (void)state;
    struct session session = open_session(4, 16);
    together.stop_after = 5;
    run(&session, list, NULL, TEXTS, &together);
    assert_int_equal(together.count, 5);
    together.stop_after = 0;
    run(&session, list, NULL, 0, &together);
    assert_int_equal(together.count, 0);
    close_session(&session);
}

static void ignore_line(void *user, enum heed_log_level level, const char *line) {
    (void)user;
    (void)level;
    (void)line;
}

static void options_are_checked(void **state) {
    const struct heed_context_options quiet = {.struct_size = sizeof quiet, .log = ignore_line};
    struct heed_context *context = NULL;
    assert_int_equal(heed_context_create(&quiet, &context), HEED_OK);
    struct heed_model *model = tiny_open(context, folder.path);
    struct heed_translator *translator = NULL;
    struct heed_translator_options options = {.struct_size = sizeof options, .backends = "scalar"};
    (void)state;
    options.beam = 4;
    assert_int_equal(heed_translator_create(context, model, &options, &translator),
                     HEED_ERROR_UNSUPPORTED);
    assert_null(translator);
    assert_non_null(strstr(heed_last_error(context), "beam: expected 1"));
    options.beam = 1;
    options.max_length = TINY_POSITIONS + 1;
    assert_int_equal(heed_translator_create(context, model, &options, &translator),
                     HEED_ERROR_LIMIT);
    assert_non_null(strstr(heed_last_error(context), "max_length: expected at most 150"));
    options.max_length = 0;
    options.steps_per_submit = HEED_MAX_STEPS_PER_SUBMIT + 1;
    assert_int_equal(heed_translator_create(context, model, &options, &translator),
                     HEED_ERROR_LIMIT);
    assert_non_null(strstr(heed_last_error(context), "steps_per_submit: expected at most 64"));
    options.steps_per_submit = 0;
    options.backends = "no_such_backend,only";
    assert_int_equal(heed_translator_create(context, model, &options, &translator),
                     HEED_ERROR_NOT_FOUND);
    assert_null(translator);

    struct {
        struct heed_translator_options known;
        uint64_t unknown;
    } larger = {.known = {.struct_size = sizeof larger, .backends = "scalar"}};
    assert_int_equal(heed_translator_create(context, model, &larger.known, &translator), HEED_OK);
    heed_translator_destroy(translator);
    larger.unknown = 1;
    assert_int_equal(heed_translator_create(context, model, &larger.known, &translator),
                     HEED_ERROR_UNSUPPORTED);
    heed_translator_destroy(NULL);
    heed_model_close(NULL);
    heed_model_close(model);
    heed_context_destroy(context);
}

/* A shared executor, and a translator that outlives its caller's hold on the model. */
static void a_translator_keeps_what_it_needs(void **state) {
    struct heed_context *context = new_context();
    struct heed_executor *executor = NULL;
    const struct heed_executor_options options = {.struct_size = sizeof options,
                                                  .backends = "scalar"};
    (void)state;
    assert_int_equal(heed_executor_create(context, &options, &executor), HEED_OK);
    struct heed_translator *translators[2];
    struct heed_model *model = tiny_open(context, folder.path);
    for (int i = 0; i < 2; i++) {
        const struct heed_translator_options with = {.struct_size = sizeof with,
                                                     .executor = executor};
        assert_int_equal(heed_translator_create(context, model, &with, &translators[i]), HEED_OK);
    }
    heed_model_close(model);
    heed_executor_release(executor);
    char *first = NULL, *second = NULL;
    assert_int_equal(heed_translate(translators[0], "a b c", &first), HEED_OK);
    heed_translator_destroy(translators[1]);
    assert_int_equal(heed_translate(translators[0], "a b c", &second), HEED_OK);
    assert_string_equal(first, second);
    heed_string_free(translators[0], first);
    heed_string_free(translators[0], second);
    heed_translator_destroy(translators[0]);
    heed_context_destroy(context);
}

struct thread {
    pthread_t id;
    struct heed_model *model;
    struct results results;
};

static void *translate_in_thread(void *user) {
    struct thread *thread = user;
    struct session session = {.context = new_context(), .model = thread->model};
    session.translator = tiny_translator(session.context, session.model, 0);
    for (int i = 0; i < 3; i++)
        run(&session, list, NULL, TEXTS, &thread->results);
    heed_translator_destroy(session.translator);
    heed_context_destroy(session.context);
    return NULL;
}

static void threads_share_a_model(void **state) {
    static struct thread threads[2];
    struct heed_context *context = new_context();
    struct heed_model *model = tiny_open(context, folder.path);
    (void)state;
    for (int i = 0; i < 2; i++) {
        threads[i].model = model;
        assert_int_equal(pthread_create(&threads[i].id, NULL, translate_in_thread, &threads[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i].id, NULL), 0);
    assert_memory_equal(threads[0].results.list, threads[1].results.list,
                        sizeof threads[0].results.list);
    heed_model_close(model);
    heed_context_destroy(context);
}

static void the_report_says_what_ran(void **state) {
    char *text = NULL;
    size_t bytes = 0;
    (void)state;
    struct session session = open_session(8, 0);
    run(&session, list, NULL, TEXTS, &together);
    FILE *stream = open_memstream(&text, &bytes);
    assert_non_null(stream);
    heed_translator_report(session.translator, stream);
    assert_int_equal(fclose(stream), 0);
    assert_non_null(strstr(text, "encoder: attention"));
    assert_non_null(strstr(text, "decoder: matmul"));
    assert_non_null(strstr(text, "on scalar"));
    assert_non_null(strstr(text, folder.path));
    assert_non_null(strstr(text, "87 texts"));
    free(text);
    close_session(&session);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(batches_give_the_bits_of_single_sentences),
                                       cmocka_unit_test(steps_at_once_give_the_same_bits),
                                       cmocka_unit_test(scores_are_mean_log_probabilities),
                                       cmocka_unit_test(max_length_forces_the_end),
                                       cmocka_unit_test(bad_texts_are_reported_in_their_place),
                                       cmocka_unit_test(the_longest_text_that_fits_is_translated),
                                       cmocka_unit_test(the_caller_may_stop),
                                       cmocka_unit_test(options_are_checked),
                                       cmocka_unit_test(a_translator_keeps_what_it_needs),
                                       cmocka_unit_test(threads_share_a_model),
                                       cmocka_unit_test(the_report_says_what_ran)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
