/* SPDX-License-Identifier: Apache-2.0 */
/* Running a case on a backend and judging what came out. */
#ifndef HEEDI_CHECK_TRIAL_H
#define HEEDI_CHECK_TRIAL_H

#include "heed/check.h"
#include "runtime/check/case.h"

enum { HEEDI_TARGET_EXECUTORS = 8 };

/* Reads options as heed/backend.h states, and refuses what makes no sense. */
enum heed_status heedi_check_options(struct heed_context *context,
                                     const struct heed_check_options *given,
                                     struct heed_check_options *known);

/* A backend to try cases on: one executor for each pool. */
struct heedi_target {
    struct heed_context *context; /* messages about trials go here */
    struct heed_executor *executors[HEEDI_TARGET_EXECUTORS];
    struct heed_pool *pool; /* where none was given */
    uint32_t count;
    uint32_t device; /* of the first executor: the backend's place in its list */
    struct heed_numeric_profile numeric;
    struct heedi_env env; /* what the poisoned memory comes from */
    bool takes_any;       /* what another backend of its list runs for it counts as its own */
    int32_t confirm_runs; /* to tell results that chance decides from those that memory decides */
};
/* Clear in any case. Memory that the backend allocates is poisoned, but for a plain one. */
enum heed_status heedi_target_open(struct heed_context *context,
                                   const struct heed_check_options *options,
                                   struct heedi_target *target);
enum heed_status heedi_target_open_plain(struct heed_context *context,
                                         const struct heed_check_options *options,
                                         struct heedi_target *target);
void heedi_target_close(struct heedi_target *target);

/* Runs a case `repeat` times (0: three) on the first executor and twice on each of the others, with
 * another poison from time to time. `results` (may be NULL) has memory for the contiguous results
 * of the first run, or for the state that the node updates; it is written unless the case is
 * declined. Fails where memory is out (HEED_ERROR_OUT_OF_MEMORY) and where the case itself has no
 * meaning; a failing backend is a finding. */
enum heed_status heedi_trial(struct heedi_target *target, const struct heedi_case *it,
                             int32_t repeat, void *const results[HEED_MAX_OUTPUTS],
                             struct heed_check_finding *finding);

#endif
