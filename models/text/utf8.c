/* SPDX-License-Identifier: Apache-2.0 */
/* Checking that bytes are UTF-8. */
#include "models/text/utf8.h"

#include <stdint.h>

/* Length of the sequence that starts with `lead`, 0 if none may, and the range that its second byte
 * must lie in; that range is what excludes overlong forms, surrogates and values above U+10FFFF. */
static size_t sequence_length(unsigned lead, unsigned *low, unsigned *high) {
    *low = 0x80u;
    *high = 0xbfu;
    if (lead <= 0x7fu)
        return 1;
    if (lead >= 0xc2u && lead <= 0xdfu)
        return 2;
    if (lead >= 0xe0u && lead <= 0xefu) {
        if (lead == 0xe0u)
            *low = 0xa0u;
        if (lead == 0xedu)
            *high = 0x9fu;
        return 3;
    }
    if (lead >= 0xf0u && lead <= 0xf4u) {
        if (lead == 0xf0u)
            *low = 0x90u;
        if (lead == 0xf4u)
            *high = 0x8fu;
        return 4;
    }
    return 0;
}

bool heedi_utf8_valid(const char *text, size_t bytes, size_t *offset) {
    const unsigned char *byte = (const unsigned char *)text;
    size_t at = 0;
    while (at < bytes) {
        unsigned low, high;
        const size_t length = sequence_length(byte[at], &low, &high);
        bool good = length != 0 && length <= bytes - at;
        for (size_t i = 1; good && i < length; i++) {
            good = byte[at + i] >= low && byte[at + i] <= high;
            low = 0x80u;
            high = 0xbfu;
        }
        if (!good) {
            if (offset)
                *offset = at;
            return false;
        }
        at += length;
    }
    return true;
}
