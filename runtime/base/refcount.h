/* SPDX-License-Identifier: Apache-2.0 */
/* Reference counts, flags and counters that threads may share. */
#ifndef HEEDI_BASE_REFCOUNT_H
#define HEEDI_BASE_REFCOUNT_H

#include <stdbool.h>
#include <stdint.h>

/* Touched only through the functions below. */
struct heedi_refcount {
    uint32_t count;
};

void heedi_ref_init(struct heedi_refcount *refcount); /* to 1 */
void heedi_ref_retain(struct heedi_refcount *refcount);
/* True for the one caller that dropped the last reference. */
bool heedi_ref_release(struct heedi_refcount *refcount);
/* A flag that is raised once. Touched only through the functions below. */
struct heedi_flag {
    uint32_t raised;
};

/* True for the one caller that raised it. What was written before is seen by those who see it. */
bool heedi_flag_raise(struct heedi_flag *flag);
bool heedi_flag_raised(const struct heedi_flag *flag);
/* Counts events of several threads. Touched only through the functions below. */
struct heedi_counter {
    uint64_t count;
};

void heedi_counter_add(struct heedi_counter *counter);
uint64_t heedi_counter_read(const struct heedi_counter *counter);
/* A number that no other call in this process returns; never 0. */
uint64_t heedi_unique_id(void);

#endif
