/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to know and to set about the OpenBLAS that was loaded. */
#include <cblas.h>
#include <stdio.h>
#include <string.h>

#include "openblas.h"

/* With OpenMP the count is a variable of each thread, and a call from a thread where it was not set
 * would start others and set it for all. */
const char *heedi_openblas_unusable(void) {
    return openblas_get_parallel() == OPENBLAS_OPENMP
               ? "this OpenBLAS was built with OpenMP, whose threads multiply with those of the "
                 "caller; Debian: libopenblas0-pthread or libopenblas0-serial"
               : NULL;
}

/* Its kernels for x86-64 processors without AVX; they gain nothing over a compiler that knows SSE2.
 */
bool heedi_openblas_slow_kernels(void) {
    static const char *const names[] = {
        "Katmai",       "Coppermine", "Northwood",  "Prescott", "Banias", "Atom",
        "Core2",        "Penryn",     "Dunnington", "Nehalem",  "Athlon", "Opteron",
        "Opteron_SSE3", "Barcelona",  "Nano",       "Bobcat",
    };
    const char *chosen = openblas_get_corename();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(chosen, names[i]) == 0)
            return true;
    return false;
}

void heedi_openblas_single_thread(void) {
    if (openblas_get_num_threads() != 1)
        openblas_set_num_threads(1);
}

void heedi_openblas_describe(char *text, size_t bytes) {
    (void)snprintf(text, bytes, "kernels for %s; %s", openblas_get_corename(),
                   openblas_get_config());
}
