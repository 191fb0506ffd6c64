/* SPDX-License-Identifier: Apache-2.0 */
/* Reference counts, flags and process-wide numbers. The header must be readable as C++, so the
 * atomics are compiler built-ins here and not _Atomic fields there. */
#include "runtime/base/refcount.h"

void heedi_ref_init(struct heedi_refcount *refcount) {
    __atomic_store_n(&refcount->count, 1u, __ATOMIC_RELAXED);
}

void heedi_ref_retain(struct heedi_refcount *refcount) {
    __atomic_add_fetch(&refcount->count, 1u, __ATOMIC_RELAXED);
}

bool heedi_ref_release(struct heedi_refcount *refcount) {
    return __atomic_sub_fetch(&refcount->count, 1u, __ATOMIC_ACQ_REL) == 0;
}

bool heedi_flag_raise(struct heedi_flag *flag) {
    return __atomic_exchange_n(&flag->raised, 1u, __ATOMIC_ACQ_REL) == 0;
}

bool heedi_flag_raised(const struct heedi_flag *flag) {
    return __atomic_load_n(&flag->raised, __ATOMIC_ACQUIRE) != 0;
}

void heedi_counter_add(struct heedi_counter *counter) {
    __atomic_add_fetch(&counter->count, 1u, __ATOMIC_RELAXED);
}

uint64_t heedi_counter_read(const struct heedi_counter *counter) {
    return __atomic_load_n(&counter->count, __ATOMIC_RELAXED);
}

uint64_t heedi_unique_id(void) {
    static uint64_t last;
    return __atomic_add_fetch(&last, 1u, __ATOMIC_RELAXED);
}
