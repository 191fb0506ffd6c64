/* SPDX-License-Identifier: Apache-2.0 */
/* The backends that were built and that this machine has a processor for: what holds for one holds
 * for all, so checks run on each. */
#ifndef HEEDI_TESTS_SUPPORT_BACKENDS_H
#define HEEDI_TESTS_SUPPORT_BACKENDS_H

#include <stdbool.h>
#include <stddef.h>

#include "heed/heed.h"

enum { SUPPORT_BACKENDS = 8 };

struct support_backend {
    char name[32]; /* for a list of backends; one with an option comes twice */
    struct heed_numeric_profile numeric;
    bool software;  /* a device that the processor computes: slow */
    bool rows_vary; /* a row's last bits may depend on how many rows it is computed with */
};

/* Fills `backends` with those that run on the CPU and returns how many there are. HEED_TEST_BACKEND
 * in the environment leaves only the one that it names. */
size_t support_backends(struct support_backend backends[SUPPORT_BACKENDS]);

#endif
