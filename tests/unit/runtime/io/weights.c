/* SPDX-License-Identifier: Apache-2.0 */
/* What all weight files share: opening, lifetimes, files that cannot be read, memory that runs
 * out. */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torch_test.h"

static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                             "\"odd\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]},"
                             "\"copied\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[9,13]},"
                             "\"__metadata__\":{\"format\":\"pt\"}}";

static void build_safetensors(struct buffer *file) {
    size_t bytes = strlen(header);
    bytes = (bytes + 7) / 8 * 8;
    file->bytes = 0;
    put_u64(file, bytes);
    put_text(file, header);
    while (file->bytes < 8 + bytes)
        put_text(file, " ");
    put_f32(file, 1.0f);
    put_f32(file, 2.0f);
    put_u8(file, 9);
    put_u32(file, 77);
}

static void build_gguf(struct buffer *file) {
    file->bytes = 0;
    put_text(file, "GGUF");
    put_u32(file, 3);
    put_u64(file, 1);
    put_u64(file, 1);
    put_u64(file, 1);
    put_text(file, "k");
    put_u32(file, HEEDI_META_ARRAY);
    put_u32(file, HEEDI_META_STRING);
    put_u64(file, 1);
    put_u64(file, 1);
    put_text(file, "v");
    put_u64(file, 1);
    put_text(file, "a");
    put_u32(file, 1);
    put_u64(file, 2);
    put_u32(file, 0);
    put_u64(file, 0);
    pad_to(file, 32);
    put_f32(file, 1.0f);
    put_f32(file, 2.0f);
}

static void build_torch(struct buffer *file) {
    static const struct pickled_tensor tensors[] = {
        {"a", "FloatStorage", "0", 2, 0, 1, {2}, {1}},
        {"odd", "LongStorage", "0", 1, 0, 1, {1}, {1}},
        {"copied", "FloatStorage", "0", 2, 0, 2, {1, 2}, {2, 0}},
    };
    static struct buffer pickle;
    static struct zip_writer zip;
    pickle_state_dict(&pickle, tensors, 3);
    zip_begin(&zip, file, NULL);
    zip_add(&zip, "x/data.pkl", pickle.data, pickle.bytes);
    zip_add(&zip, "x/data/0", "\0\0\x80\x3f\0\0\0\x40", 8);
    zip_end(&zip);
}

typedef enum heed_status (*open_fn)(struct heed_context *context, const char *path,
                                    struct heedi_weights **weights);

static const struct format {
    const char *name;
    open_fn open;
    parse_fn parse;
    void (*build)(struct buffer *file);
} formats[] = {
    {"safetensors", heedi_safetensors_open, heedi_safetensors_parse, build_safetensors},
    {"gguf", heedi_gguf_open, heedi_gguf_parse, build_gguf},
    {"torch", heedi_torch_open, heedi_torch_parse, build_torch},
};
enum { FORMATS = sizeof formats / sizeof *formats };

static struct buffer file;

/* A weight that was retained stays readable when its file, and the context, are gone. */
static void weights_outlive_their_file(void **state) {
    (void)state;
    const struct folder folder = new_folder();
    const struct path path = path_in(&folder, "weights");
    for (size_t i = 0; i < FORMATS; i++) {
        formats[i].build(&file);
        write_file(path.text, file.data, file.bytes);
        struct heed_context *context = new_context();
        struct heedi_weights *weights;
        assert_int_equal(formats[i].open(context, path.text, &weights), HEED_OK);
        struct heed_weight *kept = heed_weight_retain(heedi_weights_find(weights, "a"));
        assert_true(kept->mapped);
        heedi_weights_close(weights);
        heed_context_destroy(context);
        assert_int_equal(unlink(path.text), 0);
        assert_memory_equal(kept->data, ((const float[]){1.0f, 2.0f}), 8);
        heed_weight_release(kept);
    }
    assert_int_equal(rmdir(folder.path), 0);
}

static void copies_outlive_their_file(void **state) {
    (void)state;
    build_safetensors(&file);
    struct parsed parsed = parse_good(heedi_safetensors_parse, &file);
    struct heed_weight *kept = heed_weight_retain(heedi_weights_find(parsed.weights, "copied"));
    parsed_free(&parsed);
    assert_memory_equal(kept->data, "\x4d\0\0\0", 4);
    heed_weight_release(kept);
}

static void closing_nothing_is_allowed(void **state) {
    (void)state;
    heedi_weights_close(NULL);
}

static void expect_not_opened(open_fn open, const char *path, const char *words) {
    struct heed_context *context = new_context();
    struct heedi_weights *weights = NULL;
    assert_int_not_equal(open(context, path, &weights), HEED_OK);
    assert_null(weights);
    const char *message = heed_last_error(context);
    if (strstr(message, path) == NULL || strstr(message, words) == NULL)
        fail_msg("got: %s\nexpected: %s, %s", message, path, words);
    heed_context_destroy(context);
}

static void names_what_cannot_be_opened(void **state) {
    (void)state;
    const struct folder folder = new_folder();
    const struct path absent = path_in(&folder, "absent"), empty = path_in(&folder, "empty");
    write_file(empty.text, "", 0);
    for (size_t i = 0; i < FORMATS; i++) {
        expect_not_opened(formats[i].open, absent.text, "No such file");
        expect_not_opened(formats[i].open, folder.path, "directory");
        expect_not_opened(formats[i].open, empty.text, "not a");
    }
    expect_not_opened(heedi_safetensors_open_sharded, absent.text, "No such file");
    expect_not_opened(heedi_safetensors_open_sharded, folder.path, "directory");
    expect_not_opened(heedi_safetensors_open_sharded, empty.text, "not valid JSON");
    assert_int_equal(unlink(empty.text), 0);
    assert_int_equal(rmdir(folder.path), 0);
}

/* Rights do not bind root: a child that is somebody else tries. */
static void names_what_must_not_be_read(void **state) {
    (void)state;
    const struct folder folder = new_folder();
    const struct path secret = path_in(&folder, "secret");
    assert_int_equal(chmod(folder.path, 0755), 0);
    write_file(secret.text, "secret", 6);
    assert_int_equal(chmod(secret.text, 0), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        enum { NOBODY = 65534, REFUSED = 40, OTHER = 41 };
        if (geteuid() == 0 && setuid(NOBODY) != 0)
            _exit(OTHER);
        struct heed_context *context = NULL;
        struct heedi_weights *weights = NULL;
        if (heed_context_create(NULL, &context) != HEED_OK)
            _exit(OTHER);
        for (size_t i = 0; i < FORMATS; i++) {
            if (formats[i].open(context, secret.text, &weights) == HEED_OK)
                _exit(OTHER);
            const char *message = heed_last_error(context);
            if (strstr(message, secret.text) == NULL || strstr(message, "denied") == NULL)
                _exit(OTHER);
        }
        _exit(REFUSED);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 40);
    assert_int_equal(unlink(secret.text), 0);
    assert_int_equal(rmdir(folder.path), 0);
}

/* ---- memory that runs out ---- */

struct failing {
    size_t calls, fail_at, live;
};

static void *failing_allocate(void *user, size_t bytes, size_t alignment) {
    struct failing *failing = user;
    void *memory = NULL;
    if (++failing->calls == failing->fail_at)
        return NULL;
    if (posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, bytes) !=
        0)
        return NULL;
    failing->live++;
    return memory;
}

static void failing_release(void *user, void *memory) {
    struct failing *failing = user;
    if (memory != NULL)
        failing->live--;
    free(memory);
}

static struct heed_context *new_failing_context(struct failing *failing) {
    const struct heed_allocator allocator = {.struct_size = sizeof allocator,
                                             .user = failing,
                                             .allocate = failing_allocate,
                                             .release = failing_release};
    const struct heed_context_options options = {.struct_size = sizeof options,
                                                 .allocator = &allocator};
    struct heed_context *context;
    *failing = (struct failing){0};
    assert_int_equal(heed_context_create(&options, &context), HEED_OK);
    return context;
}

/* Whichever allocation fails, the result is "out of memory" and nothing is leaked. */
static void reading_survives_failing_allocations(void **state) {
    (void)state;
    for (size_t i = 0; i < FORMATS; i++) {
        formats[i].build(&file);
        void *memory = exact_copy(&file, file.bytes);
        bool failed = true;
        for (size_t n = 1; failed; n++) {
            assert_true(n < 1000);
            struct failing failing;
            struct heed_context *context = new_failing_context(&failing);
            const size_t before = failing.live;
            failing.fail_at = failing.calls + n;
            struct heedi_weights *weights = NULL;
            const enum heed_status status =
                formats[i].parse(context, formats[i].name, memory, file.bytes, &weights);
            failed = failing.calls >= failing.fail_at;
            assert_int_equal(status, failed ? HEED_ERROR_OUT_OF_MEMORY : HEED_OK);
            assert_true(failed == (weights == NULL));
            heedi_weights_close(weights);
            assert_int_equal(failing.live, before);
            heed_context_destroy(context);
            assert_int_equal(failing.live, 0);
        }
        free(memory);
    }
}

static enum heed_status write_gguf(struct heed_context *context, const char *path,
                                   struct heed_weight *weight) {
    struct heedi_gguf_writer *writer;
    enum heed_status status = heedi_gguf_writer_create(context, &writer);
    if (status != HEED_OK)
        return status;
    heedi_gguf_put_u32(writer, "k", 1);
    heedi_gguf_put_tensor(writer, "a", &weight->desc, weight->data, HEED_F16);
    status = heedi_gguf_write(writer, path);
    heedi_gguf_writer_destroy(writer);
    return status;
}

static enum heed_status write_safetensors(struct heed_context *context, const char *path,
                                          struct heed_weight *weight) {
    return heedi_safetensors_write(context, path, &weight, 1);
}

static void writing_survives_failing_allocations(void **state) {
    (void)state;
    enum heed_status (*const writers[])(struct heed_context *, const char *,
                                        struct heed_weight *) = {write_gguf, write_safetensors};
    const struct folder folder = new_folder();
    const struct path path = path_in(&folder, "out");
    build_safetensors(&file);
    struct parsed parsed = parse_good(heedi_safetensors_parse, &file);
    struct heed_weight *weight = heedi_weights_find(parsed.weights, "a");
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        bool failed = true;
        for (size_t n = 1; failed; n++) {
            assert_true(n < 1000);
            struct failing failing;
            struct heed_context *context = new_failing_context(&failing);
            const size_t before = failing.live;
            failing.fail_at = failing.calls + n;
            const enum heed_status status = writers[i](context, path.text, weight);
            failed = failing.calls >= failing.fail_at;
            assert_int_equal(status, failed ? HEED_ERROR_OUT_OF_MEMORY : HEED_OK);
            assert_int_equal(failing.live, before);
            heed_context_destroy(context);
            /* the folder is empty again, or holds the file and nothing else */
            assert_int_equal(unlink(path.text), failed ? -1 : 0);
        }
    }
    parsed_free(&parsed);
    assert_int_equal(rmdir(folder.path), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_outlive_their_file),
        cmocka_unit_test(copies_outlive_their_file),
        cmocka_unit_test(closing_nothing_is_allowed),
        cmocka_unit_test(names_what_cannot_be_opened),
        cmocka_unit_test(names_what_must_not_be_read),
        cmocka_unit_test(reading_survives_failing_allocations),
        cmocka_unit_test(writing_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
