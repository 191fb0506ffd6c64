/* SPDX-License-Identifier: Apache-2.0 */
/* Activations in double precision: the elementwise operators of that name and the ends of matmul
 * mean the same function. */
#ifndef HEEDI_OPS_ACTIVATION_H
#define HEEDI_OPS_ACTIVATION_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/ops.h"

/* True for every value of enum heed_activation, NONE included. */
bool heedi_activation_known(uint32_t activation);
/* "gelu_tanh"; "?" for an unknown one. */
const char *heedi_activation_name(uint32_t activation);

/* f(x). NaN stays NaN, relu's too. */
double heedi_activation(enum heed_activation activation, double x);

/* Given that x carries an error of at most gamma(K) * magnitude, returns M such that f(x) computed
 * in f32 errs by at most gamma(K + heedi_activation_depth + the roundings of the elementary
 * function) * M. An exact x has magnitude 0. */
double heedi_activation_magnitude(enum heed_activation activation, double x, double magnitude);

/* Roundings of f itself, those inside exp, tanh and erf not counted: a backend states them in its
 * numeric profile. */
double heedi_activation_depth(enum heed_activation activation);

#endif
