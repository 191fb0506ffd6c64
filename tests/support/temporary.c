/* SPDX-License-Identifier: Apache-2.0 */
/* Names of temporary files and folders. */
#include "tests/support/temporary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

void support_temporary(char *path, size_t bytes) {
    const char *base = getenv("TMPDIR");
    const int length = snprintf(path, bytes, "%s/heed-test-XXXXXX", base != NULL ? base : "/tmp");
    assert_true(length > 0 && (size_t)length < bytes);
}
