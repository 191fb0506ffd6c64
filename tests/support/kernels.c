/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernels ran: profiles give their names in the file alone. */
#include "tests/support/kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/temporary.h"

enum { FILE_BYTES = 1 << 16 };

bool kernel_ran(struct heed_context *context, const struct heed_profile *profile,
                const char *kernel) {
    static char text[FILE_BYTES];
    char path[4096], wanted[64];
    support_temporary(path, sizeof path);
    const int made = mkstemp(path);
    assert_true(made >= 0);
    (void)close(made);
    assert_int_equal(heed_profile_write(context, profile, path), HEED_OK);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    (void)remove(path);
    (void)snprintf(wanted, sizeof wanted, "\"kernel\":\"%s\"", kernel);
    return strstr(text, wanted) != NULL;
}
