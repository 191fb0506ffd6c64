/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: well-formed text is accepted, everything else refused at the right byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/text/utf8.h"

struct sample {
    const char *text;
    size_t bytes;
    size_t bad; /* where it is ill-formed; == bytes: nowhere */
};

/* String constants without their NUL. */
#define SAMPLE(text, bad)                                                                          \
    { text, sizeof text - 1, bad }

static void accepts_well_formed(void **state) {
    static const char *const texts[] = {"",
                                        "snow",
                                        "T\xc3\xbcr",
                                        "\xe2\x96\x81",
                                        "\xf0\x9f\x98\x80",
                                        "\x7f",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t bytes = 0;
        while (texts[i][bytes])
            bytes++;
        assert_true(heedi_utf8_valid(texts[i], bytes, NULL));
    }
    assert_true(heedi_utf8_valid("a\0b", 3, NULL));
}

static void names_the_first_bad_byte(void **state) {
    static const struct sample samples[] = {
        SAMPLE("\x80", 0),             /* a continuation alone */
        SAMPLE("ab\xbf", 2),           /* ... after letters */
        SAMPLE("\xc0\xaf", 0),         /* overlong '/' */
        SAMPLE("\xc1\xbf", 0),         /* overlong */
        SAMPLE("\xe0\x9f\xbf", 0),     /* overlong of three */
        SAMPLE("\xf0\x8f\xbf\xbf", 0), /* overlong of four */
        SAMPLE("a\xed\xa0\x80", 1),    /* a surrogate */
        SAMPLE("\xf4\x90\x80\x80", 0), /* above U+10FFFF */
        SAMPLE("\xf5\x80\x80\x80", 0), /* no such lead */
        SAMPLE("\xff", 0),             /* no such byte */
        SAMPLE("\xe2\x96", 0),         /* cut off */
        SAMPLE("\xc3\x9f\xe2\x96", 2), /* cut off later */
        SAMPLE("\xe2\x41\x81", 0),     /* second byte is a letter */
        SAMPLE("\xe2\x96\x41", 0),     /* third byte is a letter */
    };
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        size_t offset = 99;
        assert_false(heedi_utf8_valid(samples[i].text, samples[i].bytes, &offset));
        assert_int_equal(offset, samples[i].bad);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(accepts_well_formed),
                                       cmocka_unit_test(names_the_first_bad_byte)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
