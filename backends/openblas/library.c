/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to know and to set about the OpenBLAS that was loaded. */
#include <cblas.h>
#include <stdio.h>
#include <string.h>

#include "openblas.h"

/* The kernels for x86-64 processors without AVX. They gain nothing over a compiler that knows SSE2,
 * and those for AMD use instructions that an emulated processor of that kind may lack. */
static bool kernels_gain_nothing(void) {
    static const char *const names[] = {
        "Katmai", "Coppermine", "Northwood",  "Prescott", "Banias",       "Atom",
        "Core2",  "Penryn",     "Dunnington", "Nehalem",  "Athlon",       "Opteron",
        "Bobcat", "Barcelona",  "Nano",       "Unknown",  "Opteron_SSE3",
    };
    const char *chosen = openblas_get_corename();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(chosen, names[i]) == 0)
            return true;
    return false;
}

/* With OpenMP the count of threads is a variable of each thread, and a call from one where it was
 * not set would start others and set it for all. */
const char *heedi_openblas_unusable(void) {
    if (openblas_get_parallel() == OPENBLAS_OPENMP)
        return "this OpenBLAS was built with OpenMP, whose threads multiply with those of the "
               "caller; Debian: libopenblas0-pthread or libopenblas0-serial";
    if (kernels_gain_nothing())
        return "OpenBLAS has no kernels for this processor that are faster than plain C";
    return NULL;
}

void heedi_openblas_single_thread(struct heed_plugin *plugin) {
    (void)plugin;
    if (openblas_get_num_threads() != 1)
        openblas_set_num_threads(1);
}

void heedi_openblas_describe(char *text, size_t bytes) {
    (void)snprintf(text, bytes, "kernels for %s (last bits depend on kernel and shape); %s",
                   openblas_get_corename(), openblas_get_config());
}
