/* SPDX-License-Identifier: Apache-2.0 */
/* Largest errors of the functions in functions.h in units in the last place, over all f32
 * arguments, as the plugin declares them; tests/unit/backends/avx2/functions.c measures them. */
#ifndef HEEDI_AVX2_ULP_H
#define HEEDI_AVX2_ULP_H

#define AVX2_EXP_ULP 1.1f
#define AVX2_TANH_ULP 1.5f
#define AVX2_ERF_ULP 1.2f

#endif
