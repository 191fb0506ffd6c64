/* SPDX-License-Identifier: Apache-2.0 */
/* Where files of tests go. */
#ifndef HEEDI_TESTS_SUPPORT_TEMPORARY_H
#define HEEDI_TESTS_SUPPORT_TEMPORARY_H

#include <stddef.h>

/* "$TMPDIR/heed-test-XXXXXX" for mkstemp() or mkdtemp(), in /tmp where TMPDIR is not set. */
void support_temporary(char *path, size_t bytes);

#endif
