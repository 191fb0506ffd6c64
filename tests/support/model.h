/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of tests that need the default model. */
#ifndef HEEDI_TESTS_SUPPORT_MODEL_H
#define HEEDI_TESTS_SUPPORT_MODEL_H

#include "heed/translate.h"

/* The default model, while such a group runs. */
extern struct heed_model *support_model;

/* For cmocka_run_group_tests(): *state becomes a struct heed_context. */
int support_model_setup(void **state);
int support_model_teardown(void **state);

#endif
