/* SPDX-License-Identifier: Apache-2.0 */
/* Opening models: the same weights from every container, and models that are wrong. */
#include "tests/unit/models/tiny_marian.h"

static struct tiny_model weights;

/* What a model makes of some texts, as one string. */
static void translate_all(const char *path, char *result, size_t bytes) {
    struct heed_context *context = new_context();
    struct heed_model *model = tiny_open(context, path);
    struct heed_translator *translator = tiny_translator(context, model, 12);
    size_t at = 0;
    for (int i = 0; i < 30; i++) {
        char letters[2 * TINY_LETTERS + 1] = {0}, *text = NULL;
        for (int k = 0; k <= i % TINY_LETTERS; k++) {
            letters[2 * k] = (char)('a' + (i * 7 + k * k) % TINY_LETTERS);
            letters[2 * k + 1] = ' ';
        }
        if (heed_translate(translator, letters, &text) != HEED_OK)
            fail_msg("%s: %s", path, heed_last_error(context));
        at += (size_t)snprintf(result + at, bytes - at, "%s\n", text);
        heed_string_free(translator, text);
    }
    heed_translator_destroy(translator);
    heed_model_close(model);
    heed_context_destroy(context);
}

static void convert(const char *path, const char *file, enum heed_dtype type) {
    struct heed_context *context = new_context();
    struct heed_model *model = tiny_open(context, path);
    const struct heed_convert_options options = {.struct_size = sizeof options, .type = type};
    if (heed_model_convert(context, model, file, &options) != HEED_OK)
        fail_msg("not converted: %s", heed_last_error(context));
    heed_model_close(model);
    heed_context_destroy(context);
}

static void all_containers_hold_the_same_model(void **state) {
    char single[1024], other[1024];
    struct folder folder = tiny_folder(&weights);
    const struct path gguf = path_in(&folder, "model.gguf"),
                      safe = path_in(&folder, "model.safetensors");
    (void)state;
    translate_all(folder.path, single, sizeof single);
    assert_true(strlen(single) > 60); /* more than 30 empty lines */

    convert(folder.path, gguf.text, HEED_F32);
    translate_all(gguf.text, other, sizeof other);
    assert_string_equal(other, single);
    convert(gguf.text, path_in(&folder, "second.gguf").text, HEED_F16);
    translate_all(path_in(&folder, "second.gguf").text, other, sizeof other);
    assert_string_equal(other, single);

    assert_int_equal(unlink(safe.text), 0);
    tiny_write_sharded(&weights, &folder);
    translate_all(folder.path, other, sizeof other);
    assert_string_equal(other, single);

    assert_int_equal(unlink(path_in(&folder, "model.safetensors.index.json").text), 0);
    tiny_write_torch(&weights, &folder);
    translate_all(folder.path, other, sizeof other);
    assert_string_equal(other, single);
    tiny_remove(&folder);
}

/* The embedding under its other names, and an output matrix of its own. */
static void embeddings_may_be_separate(void **state) {
    char shared[1024], other[1024];
    struct folder folder = tiny_folder(&weights);
    (void)state;
    translate_all(folder.path, shared, sizeof shared);
    struct tiny_tensor *embedding = tiny_find(&weights, "model.shared.weight");
    (void)snprintf(embedding->name, sizeof embedding->name, "model.encoder.embed_tokens.weight");
    const char *names[] = {"model.decoder.embed_tokens.weight", "lm_head.weight"};
    for (int i = 0; i < 2; i++) {
        tiny_add(&weights, names[i], TINY_VOCABULARY, TINY_WIDTH);
        memcpy(weights.tensors[weights.count - 1].data, embedding->data, sizeof embedding->data);
    }
    tiny_write_safetensors(&weights, path_in(&folder, "model.safetensors").text, 0, weights.count);
    tiny_write_config(
        path_in(&folder, "config.json").text,
        ", \"share_encoder_decoder_embeddings\": false, \"tie_word_embeddings\": false");
    translate_all(folder.path, other, sizeof other);
    assert_string_equal(other, shared);

    /* Other numbers in the output matrix must show. */
    struct tiny_tensor *head = tiny_find(&weights, "lm_head.weight");
    for (size_t i = 0; i < TINY_VOCABULARY * TINY_WIDTH; i++)
        head->data[i] = -head->data[i];
    tiny_write_safetensors(&weights, path_in(&folder, "model.safetensors").text, 0, weights.count);
    translate_all(folder.path, other, sizeof other);
    assert_string_not_equal(other, shared);

    convert(folder.path, path_in(&folder, "model.gguf").text, HEED_F32);
    translate_all(path_in(&folder, "model.gguf").text, shared, sizeof shared);
    assert_string_equal(other, shared);
    tiny_remove(&folder);
}

/* A target vocabulary of its own: every letter's id stands for the next letter. */
static void vocabularies_may_be_separate(void **state) {
    static struct buffer json;
    char same[1024], other[1024];
    struct folder folder = tiny_folder(&weights);
    const struct path vocabulary = path_in(&folder, "vocab.json");
    (void)state;
    translate_all(folder.path, same, sizeof same);
    read_file(vocabulary.text, &json);
    for (size_t i = 0; i + 3 < json.bytes; i++) /* "a": -> "b":, and the last to the first */
        if (json.data[i + 1] == '"' && json.data[i + 2] == ':' && json.data[i] >= 'a' &&
            json.data[i] < 'a' + TINY_LETTERS)
            json.data[i] = (unsigned char)(json.data[i] - 'a' + 1) % TINY_LETTERS + 'a';
    write_file(path_in(&folder, "target_vocab.json").text, json.data, json.bytes);
    translate_all(folder.path, other, sizeof other);
    assert_int_equal(strlen(other), strlen(same));
    for (size_t i = 0; same[i]; i++) {
        if (same[i] >= 'a' && same[i] < 'a' + TINY_LETTERS)
            assert_int_equal(other[i], (same[i] - 'a' + 1) % TINY_LETTERS + 'a');
        else
            assert_int_equal(other[i], same[i]);
    }
    convert(folder.path, path_in(&folder, "model.gguf").text, HEED_F32);
    translate_all(path_in(&folder, "model.gguf").text, same, sizeof same);
    assert_string_equal(other, same);
    tiny_remove(&folder);
}

/* Opening must fail with this status and these words. */
static void expect_refusal(const char *path, enum heed_status status, const char *words) {
    struct heed_context *context = new_context();
    struct heed_model *model = NULL;
    const enum heed_status found = heed_model_open(context, path, &model);
    assert_null(model);
    if (found != status || !strstr(heed_last_error(context), words))
        fail_msg("status %d, got: %s\nexpected %d, %s", found, heed_last_error(context), status,
                 words);
    heed_context_destroy(context);
}

static void refuses_what_is_no_model(void **state) {
    const struct folder folder = new_folder();
    const struct path file = path_in(&folder, "model.gguf");
    (void)state;
    expect_refusal("/nonexistent/model", HEED_ERROR_NOT_FOUND, "/nonexistent/model: no such model");
    expect_refusal(folder.path, HEED_ERROR_NOT_FOUND, "it has no config.json");
    write_file(file.text, "hello, world", 12);
    expect_refusal(file.text, HEED_ERROR_FORMAT, file.text);
    tiny_remove(&folder);
}

static void refuses_missing_files(void **state) {
    static const char *const names[] = {"vocab.json", "source.spm", "target.spm",
                                        "model.safetensors"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct folder folder = tiny_folder(&weights);
        assert_int_equal(unlink(path_in(&folder, names[i]).text), 0);
        struct heed_context *context = new_context();
        struct heed_model *model = NULL;
        assert_int_not_equal(heed_model_open(context, folder.path, &model), HEED_OK);
        assert_non_null(strstr(heed_last_error(context), names[i]));
        heed_context_destroy(context);
        tiny_remove(&folder);
    }
}

static void refuses_files_cut_short(void **state) {
    static const char *const names[] = {"config.json", "vocab.json", "source.spm",
                                        "model.safetensors"};
    static struct buffer buffer;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct folder folder = tiny_folder(&weights);
        const struct path path = path_in(&folder, names[i]);
        read_file(path.text, &buffer);
        write_file(path.text, buffer.data, buffer.bytes / 2);
        expect_refusal(folder.path, HEED_ERROR_FORMAT, names[i]);
        write_file(path.text, buffer.data, 0);
        expect_refusal(folder.path, HEED_ERROR_FORMAT, names[i]);
        tiny_remove(&folder);
    }
}

/* A model whose weights were changed by `change` before they were written. */
static void expect_weights_refused(void (*change)(void), enum heed_status status,
                                   const char *words) {
    struct folder folder = tiny_folder(&weights);
    change();
    tiny_write_safetensors(&weights, path_in(&folder, "model.safetensors").text, 0, weights.count);
    expect_refusal(folder.path, status, words);
    tiny_remove(&folder);
}

static void drop_one(void) {
    struct tiny_tensor *tensor = tiny_find(&weights, "model.decoder.layers.1.fc2.bias");
    *tensor = weights.tensors[--weights.count];
}

static void misshape_one(void) {
    struct tiny_tensor *tensor = tiny_find(&weights, "model.encoder.layers.1.fc1.weight");
    const int64_t dims[] = {TINY_WIDTH, TINY_INNER};
    tensor->desc = heed_desc(HEED_F32, 2, dims);
}

static void retype_one(void) {
    tiny_find(&weights, "model.encoder.layers.0.fc1.bias")->desc.dtype = HEED_I32;
}

static void refuses_wrong_tensors(void **state) {
    (void)state;
    expect_weights_refused(drop_one, HEED_ERROR_FORMAT,
                           "tensor \"model.decoder.layers.1.fc2.bias\" is missing");
    expect_weights_refused(
        misshape_one, HEED_ERROR_SHAPE,
        "\"model.encoder.layers.1.fc1.weight\": expected float, i8 or q8_0 [12, 8]");
    expect_weights_refused(retype_one, HEED_ERROR_SHAPE,
                           "\"model.encoder.layers.0.fc1.bias\": expected float [12]");
}

static void refuses_a_configuration_of_another_model(void **state) {
    static const struct {
        const char *from, *to, *words;
        enum heed_status status;
    } cases[] = {
        {"\"d_model\": 8", "\"d_model\": 4", "vocab_size, d_model of", HEED_ERROR_SHAPE},
        {"\"encoder_layers\": 2", "\"encoder_layers\": 3", "encoder.layers.2", HEED_ERROR_FORMAT},
        {"\"decoder_ffn_dim\": 12", "\"decoder_ffn_dim\": 13", "decoder_ffn_dim of",
         HEED_ERROR_SHAPE},
        {"\"vocab_size\": 45", "\"vocab_size\": 46", "config.json", HEED_ERROR_SHAPE}};
    static struct buffer buffer;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct folder folder = tiny_folder(&weights);
        const struct path path = path_in(&folder, "config.json");
        read_file(path.text, &buffer);
        buffer.data[buffer.bytes] = 0;
        char *place = strstr((char *)buffer.data, cases[i].from);
        assert_non_null(place);
        memcpy(place, cases[i].to, strlen(cases[i].to));
        write_file(path.text, buffer.data, buffer.bytes);
        expect_refusal(folder.path, cases[i].status, cases[i].words);
        tiny_remove(&folder);
    }
}

/* A vocabulary with one entry more than the configuration says. */
static void refuses_a_vocabulary_of_another_model(void **state) {
    static struct buffer buffer;
    struct folder folder = tiny_folder(&weights);
    const struct path path = path_in(&folder, "vocab.json");
    (void)state;
    read_file(path.text, &buffer);
    buffer.bytes--;
    put_text(&buffer, ", \"extra\": 45}");
    write_file(path.text, buffer.data, buffer.bytes);
    expect_refusal(folder.path, HEED_ERROR_FORMAT, "expected 45 entries (vocab_size of");
    tiny_remove(&folder);
}

/* Whatever single byte of a packaged model is damaged, opening it reads nothing outside. */
static void survives_damaged_packages(void **state) {
    static struct buffer buffer;
    struct folder folder = tiny_folder(&weights);
    const struct path path = path_in(&folder, "model.gguf");
    struct heed_context *context = new_context();
    (void)state;
    convert(folder.path, path.text, HEED_F16);
    read_file(path.text, &buffer);
    for (size_t at = 0; at < buffer.bytes; at += at < 4096 ? 13 : 211) {
        struct heed_model *model = NULL;
        buffer.data[at] ^= 0x55;
        write_file(path.text, buffer.data, buffer.bytes);
        if (heed_model_open(context, path.text, &model) != HEED_OK)
            assert_true(strlen(heed_last_error(context)) > 0);
        heed_model_close(model);
        buffer.data[at] ^= 0x55;
    }
    for (size_t bytes = 0; bytes < buffer.bytes; bytes += 1 + bytes / 8) {
        write_file(path.text, buffer.data, bytes);
        struct heed_model *model = NULL;
        assert_int_not_equal(heed_model_open(context, path.text, &model), HEED_OK);
    }
    heed_context_destroy(context);
    tiny_remove(&folder);
}

static void count_field(void *user, const char *key, const char *value) {
    int *seen = user;
    if (strcmp(key, "d_model") == 0 && strcmp(value, "8") == 0)
        (*seen)++;
    if (strcmp(key, "activation_function") == 0 && strcmp(value, "swish") == 0)
        (*seen)++;
    if (strcmp(key, "scale_embedding") == 0 && strcmp(value, "true") == 0)
        (*seen)++;
}

static void count_tensor(void *user, const char *name, const struct heed_tensor_desc *desc) {
    if (strcmp(name, "model.shared.weight") == 0 && desc->dims[0] == TINY_VOCABULARY)
        *(int *)user += 100;
}

static void describes_what_it_opened(void **state) {
    struct folder folder = tiny_folder(&weights);
    struct heed_context *context = new_context();
    struct heed_model *model = tiny_open(context, folder.path);
    int seen = 0;
    (void)state;
    heed_model_describe(model, count_field, count_tensor, &seen);
    assert_int_equal(seen, 103);
    heed_model_describe(model, NULL, NULL, NULL);
    heed_model_close(model);
    heed_context_destroy(context);
    tiny_remove(&folder);
}

/* HEED_DEFAULT_MODEL names what is opened when no model is named; without it, the model that lies
 * beside the library is found from any working directory. */
static void the_default_model_is_found(void **state) {
    struct folder folder = tiny_folder(&weights);
    struct heed_context *context = new_context();
    struct heed_model *model = tiny_open(context, NULL);
    int seen = 0;
    (void)state;
    heed_model_describe(model, count_field, count_tensor, &seen);
    assert_int_not_equal(seen, 103); /* another d_model */
    heed_model_close(model);
    assert_int_equal(setenv("HEED_DEFAULT_MODEL", folder.path, 1), 0);
    seen = 0;
    model = tiny_open(context, NULL);
    heed_model_describe(model, count_field, count_tensor, &seen);
    assert_int_equal(seen, 103);
    heed_model_close(model);
    assert_int_equal(setenv("HEED_DEFAULT_MODEL", "/nonexistent", 1), 0);
    expect_refusal(NULL, HEED_ERROR_NOT_FOUND, "/nonexistent: no such model");
    assert_int_equal(unsetenv("HEED_DEFAULT_MODEL"), 0);
    heed_context_destroy(context);
    tiny_remove(&folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_containers_hold_the_same_model),
                                       cmocka_unit_test(embeddings_may_be_separate),
                                       cmocka_unit_test(vocabularies_may_be_separate),
                                       cmocka_unit_test(refuses_what_is_no_model),
                                       cmocka_unit_test(refuses_missing_files),
                                       cmocka_unit_test(refuses_files_cut_short),
                                       cmocka_unit_test(refuses_wrong_tensors),
                                       cmocka_unit_test(refuses_a_configuration_of_another_model),
                                       cmocka_unit_test(refuses_a_vocabulary_of_another_model),
                                       cmocka_unit_test(survives_damaged_packages),
                                       cmocka_unit_test(describes_what_it_opened),
                                       cmocka_unit_test(the_default_model_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
