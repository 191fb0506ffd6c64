/* SPDX-License-Identifier: Apache-2.0 */
/* Checking that bytes are UTF-8. */
#ifndef HEEDI_TEXT_UTF8_H
#define HEEDI_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* True where text[0, bytes) is well-formed UTF-8 (The Unicode Standard 15, table 3-7: no overlong
 * forms, no surrogates, nothing above U+10FFFF; U+0000 is a character like any other). Otherwise
 * *offset (may be NULL) is where the first ill-formed sequence starts. */
bool heedi_utf8_valid(const char *text, size_t bytes, size_t *offset);

#endif
