/* SPDX-License-Identifier: Apache-2.0 */
/* The zip directory below pytorch_model.bin, honest and not. */
#include "runtime/io/torch.h"
#include "torch_test.h"

static struct buffer file;
static struct zip_writer zip;

static void build(const struct zip_options *options) {
    zip_begin(&zip, &file, options);
    zip_add(&zip, "b/two", "22", 2);
    zip_add(&zip, "b/", "", 0);
    zip_add(&zip, "a", "1", 1);
    zip_end(&zip);
}

static void refuse(const char *words) {
    struct heed_context *context = new_context();
    unsigned char *memory = exact_copy(&file, file.bytes);
    const struct heedi_source source = {
        .env = context->env, .data = memory, .bytes = file.bytes, .path = (char[]){"some/zip"}};
    struct heedi_zip archive;
    if (heedi_zip_open(context, &source, &archive) == HEED_OK)
        fail_msg("accepted, expected: %s", words);
    assert_null(archive.entries);
    if (strstr(heed_last_error(context), words) == NULL)
        fail_msg("got: %s\nexpected: %s", heed_last_error(context), words);
    free(memory);
    heed_context_destroy(context);
}

static const struct heedi_zip_entry *find(const struct heedi_zip *archive, const char *folder,
                                          const char *name) {
    return heedi_zip_find(archive, (struct heedi_slice){folder, strlen(folder)},
                          (struct heedi_slice){name, strlen(name)});
}

static void check_good(void) {
    struct heed_context *context = new_context();
    unsigned char *memory = exact_copy(&file, file.bytes);
    const struct heedi_source source = {
        .env = context->env, .data = memory, .bytes = file.bytes, .path = (char[]){"zip"}};
    struct heedi_zip archive;
    if (heedi_zip_open(context, &source, &archive) != HEED_OK)
        fail_msg("refused: %s", heed_last_error(context));
    assert_int_equal(archive.count, 3);
    assert_int_equal(find(&archive, "", "a")->bytes, 1);
    assert_memory_equal(find(&archive, "", "a")->data, "1", 1);
    assert_int_equal(find(&archive, "b/", "two")->bytes, 2);
    assert_memory_equal(find(&archive, "b/t", "wo")->data, "22", 2);
    assert_int_equal(find(&archive, "b/", "")->bytes, 0);
    assert_null(find(&archive, "b/", "tw"));
    assert_null(find(&archive, "b/", "twoo"));
    assert_null(find(&archive, "b/two", "o"));
    assert_null(find(&archive, "c", ""));
    assert_null(find(&archive, "", ""));
    heedi_zip_close(context, &archive);
    free(memory);
    heed_context_destroy(context);
}

static void reads_every_form_of_sizes(void **state) {
    (void)state;
    for (int form = 0; form < 8; form++) {
        const struct zip_options options = {.zip64 = (form & 1) != 0,
                                            .sizes_follow = (form & 2) != 0,
                                            .alignment = (form & 4) != 0 ? 64 : 0};
        build(&options);
        check_good();
    }
}

static void accepts_a_comment(void **state) {
    (void)state;
    build(NULL);
    file.data[file.bytes - 2] = 5;
    put_text(&file, "hello");
    check_good();
}

static void refuses_what_is_not_stored_plainly(void **state) {
    (void)state;
    build(&(struct zip_options){.method = 8});
    refuse("zip entry 'b/two' is compressed");
    build(&(struct zip_options){.flags = 1});
    refuse("zip entry 'b/two' is encrypted");
}

static void refuses_places_outside_the_file(void **state) {
    (void)state;
    build(&(struct zip_options){.offset = 10000});
    refuse("zip entry 'b/two' begins outside the file");
    build(&(struct zip_options){.zip64 = true, .offset = UINT64_MAX - 20});
    refuse("begins outside the file");
    build(&(struct zip_options){.offset = 1});
    refuse("zip entry 'b/two' has no local header");
    build(&(struct zip_options){.bytes = 100000});
    refuse("zip entry 'b/two' ends outside the file");
    build(&(struct zip_options){.zip64 = true, .bytes = UINT64_C(1) << 60});
    refuse("zip entry 'b/two' ends outside the file");
    build(&(struct zip_options){.zip64 = true, .bytes = UINT64_MAX - 10});
    refuse("zip entry 'b/two' ends outside the file");
}

static void refuses_local_headers_that_disagree(void **state) {
    (void)state;
    build(&(struct zip_options){.local_name = "b/twx"});
    refuse("zip entry 'b/two' has a local header that disagrees");
    build(&(struct zip_options){.local_name = "b"});
    refuse("zip entry 'b/two' has a local header that disagrees");
    build(&(struct zip_options){.local_bytes = 1});
    refuse("zip entry 'b/two' has a local header whose sizes disagree");
    build(&(struct zip_options){.zip64 = true, .local_bytes = 1});
    refuse("zip entry 'b/two' has a local header whose sizes disagree");
}

static void refuses_duplicates(void **state) {
    (void)state;
    zip_begin(&zip, &file, NULL);
    zip_add(&zip, "x", "1", 1);
    zip_add(&zip, "x", "2", 1);
    zip_end(&zip);
    refuse("zip entry 'x' is there twice");
}

/* Overwrites a number of the end records, which lie `back` bytes before the end of the file. */
static void damage(bool zip64, size_t back, uint64_t value, size_t width, const char *words) {
    build(&(struct zip_options){.zip64 = zip64});
    const size_t bytes = file.bytes;
    file.bytes -= back;
    put_number(&file, value, width);
    file.bytes = bytes;
    refuse(words);
}

static void refuses_damaged_end_records(void **state) {
    (void)state;
    enum { END = 22, LOCATOR = END + 20, END64 = LOCATOR + 56 };
    file.bytes = 0;
    refuse("not a zip archive");
    put_zeros(&file, 100);
    refuse("not a zip archive");
    damage(false, END, 0, 4, "not a zip archive");
    damage(false, END - 4, 1, 2, "split over several volumes");
    damage(false, END - 10, 1000, 2, "too small for its number of entries");
    damage(true, END64 - 32, 4, 8, "the directory ends early");
    damage(false, END - 12, 0x00ffffff, 4, "the directory lies outside the file");
    damage(false, END - 16, 0x00ffffff, 4, "the directory lies outside the file");
    damage(false, END - 16, UINT32_MAX, 4, "the zip64 locator is missing");
    damage(true, LOCATOR, 0, 4, "the zip64 locator is missing");
    damage(true, LOCATOR - 8, UINT64_MAX - 10, 8, "zip64 end record lies outside the file");
    damage(true, LOCATOR - 8, 0, 8, "zip64 end record has a wrong signature");
    damage(true, END64 - 32, UINT64_C(1) << 60, 8, "too small for its number of entries");
    damage(true, END64 - 40, UINT64_MAX, 8, "the directory lies outside the file");
    damage(true, END64 - 48, UINT64_MAX, 8, "the directory lies outside the file");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form_of_sizes),
        cmocka_unit_test(accepts_a_comment),
        cmocka_unit_test(refuses_what_is_not_stored_plainly),
        cmocka_unit_test(refuses_places_outside_the_file),
        cmocka_unit_test(refuses_local_headers_that_disagree),
        cmocka_unit_test(refuses_duplicates),
        cmocka_unit_test(refuses_damaged_end_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
