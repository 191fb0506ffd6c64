/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernels ran, as a profile tells. */
#ifndef HEEDI_TESTS_SUPPORT_KERNELS_H
#define HEEDI_TESTS_SUPPORT_KERNELS_H

#include <stdbool.h>

#include "heed/heed.h"

/* Whether a profile names this kernel. Fails the test where the profile cannot be written. */
bool kernel_ran(struct heed_context *context, const struct heed_profile *profile,
                const char *kernel);

#endif
