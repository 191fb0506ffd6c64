/* SPDX-License-Identifier: Apache-2.0 */
/* Fixtures of every operator: cases as text, and results worked out by hand or by a few lines of
 * Python from the formulas in heed/ops.h, not by any code of the project. */
#ifndef HEED_TESTS_CHECK_FIXTURES_DATA_H
#define HEED_TESTS_CHECK_FIXTURES_DATA_H

#include <math.h>

struct fixture {
    const char *name, *text;
    double y0[24], y1[8];
};

static const struct fixture fixtures[] = {
    {"matmul_relu",
     "heed-check-case 1\n"
     "op matmul\n"
     "random 0\n"
     "attrs 24 0 1 1 0 0\n"
     "operand 0 f32 input plain 2 2 3 ..\n"
     "values 1 2 3 -1 0.5 2\n"
     "operand 1 f32 constant plain 2 2 3 ..\n"
     "values 1 0 -1 2 1 0.5\n"
     "operand 2 f32 input plain 1 2 .\n"
     "values 0.5 -10\n"
     "end\n",
     {0, 0, 0, 0},
     {0}},
    {"matmul_leading",
     "heed-check-case 1\n"
     "op matmul\n"
     "random 0\n"
     "attrs 24 1 0 0 0 0\n"
     "operand 0 f32 input plain 2 2 2 ..\n"
     "values 1 2 3 4\n"
     "operand 1 f32 input plain 3 2 2 2 ...\n"
     "values 1 2 3 4 5 6 7 8\n"
     "end\n",
     {10, 14, 14, 20, 26, 30, 38, 44},
     {0}},
    {"matmul_i8",
     "heed-check-case 1\n"
     "op matmul\n"
     "random 0\n"
     "attrs 24 0 1 0 0 0\n"
     "operand 0 f32 input plain 2 1 3 ..\n"
     "values 0.5 -1 2\n"
     "operand 1 i8 constant plain 2 2 3 ..\n"
     "values 10 -20 30 127 0 -127\n"
     "operand 3 f32 constant plain 1 2 .\n"
     "values 0.1 0.01\n"
     "end\n",
     {8.5, -1.905},
     {0}},
    {"matmul_rows",
     "heed-check-case 1\n"
     "op matmul\n"
     "random 0\n"
     "attrs 24 0 1 0 0 1\n"
     "operand 0 f32 input plain 2 1 3 ..\n"
     "values 0.5 -1 2\n"
     "operand 1 i8 constant plain 2 2 3 ..\n"
     "values 10 -20 30 127 0 -127\n"
     "operand 3 f32 constant plain 1 2 .\n"
     "values 0.1 0.01\n"
     "end\n",
     {8.519685039370078, -1.9},
     {0}},
    {"attention_causal",
     "heed-check-case 1\n"
     "op attention\n"
     "random 0\n"
     "attrs 28 1 0 1 0 0 0\n"
     "operand 0 f32 input plain 4 1 2 2 2 ....\n"
     "values 1 0 0 2 -1 1 0.5 0.5\n"
     "operand 1 f32 input plain 4 1 1 2 2 ....\n"
     "values 1 1 2 -1\n"
     "operand 2 f32 input plain 4 1 1 2 2 ....\n"
     "values 1 10 3 -20\n"
     "end\n",
     {1, 10, 1.1116144384143396, 8.325783423784909, 1, 10, 1.8250419983207806, -2.375629974811708},
     {0}},
    {"attention_key_len_weights",
     "heed-check-case 1\n"
     "op attention\n"
     "random 0\n"
     "attrs 28 1 1056964608 0 0 1 0\n"
     "operand 0 f32 input plain 4 1 1 1 2 ....\n"
     "values 1 2\n"
     "operand 1 f32 input plain 4 1 1 3 2 ....\n"
     "values 1 1 2 -1 0 3\n"
     "operand 2 f32 input plain 4 1 1 3 2 ....\n"
     "values 1 10 3 -20 7 7\n"
     "operand 4 i32 input plain 1 1 .\n"
     "values 2\n"
     "end\n",
     {1.3648510476127127, 4.527234285809309},
     {0.8175744761936437, 0.18242552380635632, 0}},
    {"attention_window",
     "heed-check-case 1\n"
     "op attention\n"
     "random 0\n"
     "attrs 28 1 0 0 1 0 0\n"
     "operand 0 f32 input plain 4 1 1 1 2 ....\n"
     "values 1 2\n"
     "operand 1 f32 input plain 4 1 1 3 2 ....\n"
     "values 1 1 2 -1 0 3\n"
     "operand 2 f32 input plain 4 1 1 3 2 ....\n"
     "values 1 10 3 -20 7 7\n"
     "operand 4 i32 input plain 1 1 .\n"
     "values 2\n"
     "operand 5 i32 input plain 1 1 .\n"
     "values 1\n"
     "end\n",
     {3, -20},
     {0}},
    {"attention_bias",
     "heed-check-case 1\n"
     "op attention\n"
     "random 0\n"
     "attrs 28 0 0 0 0 0 0\n"
     "operand 0 f32 input plain 4 1 1 1 2 ....\n"
     "values 1 2\n"
     "operand 1 f32 input plain 4 1 1 3 2 ....\n"
     "values 1 1 2 -1 0 3\n"
     "operand 2 f32 input plain 4 1 1 3 2 ....\n"
     "values 1 10 3 -20 7 7\n"
     "operand 3 f32 input plain 1 3 .\n"
     "values 0.5 -1 0.25\n"
     "end\n",
     {6.637052357819001, 7.162129164420486},
     {0}},
    {"attention_nothing_visible",
     "heed-check-case 1\n"
     "op attention\n"
     "random 0\n"
     "attrs 28 1 0 0 0 0 0\n"
     "operand 0 f32 input plain 4 1 1 1 2 ....\n"
     "values 1 2\n"
     "operand 1 f32 input plain 4 1 1 3 2 ....\n"
     "values 1 1 2 -1 0 3\n"
     "operand 2 f32 input plain 4 1 1 3 2 ....\n"
     "values 1 10 3 -20 7 7\n"
     "operand 4 i32 input plain 1 1 .\n"
     "values 0\n"
     "end\n",
     {0, 0},
     {0}},
    {"attention_packed",
     "heed-check-case 1\n"
     "op attention\n"
     "random 0\n"
     "attrs 28 0 0 0 0 0 4\n"
     "operand 0 f32 input plain 4 1 1 3 2 ....\n"
     "values 1 0 0 1 1 1\n"
     "operand 1 f32 input plain 4 1 1 3 2 ....\n"
     "values 1 0 2 1 -1 1\n"
     "operand 2 f32 input plain 4 1 1 3 2 ....\n"
     "values 1 2 3 4 5 6\n"
     "operand 7 i32 input plain 1 3 .\n"
     "values 0 1 3\n"
     "operand 8 i32 input plain 1 3 .\n"
     "values 0 1 3\n"
     "end\n",
     {1, 2, 4, 5, 3.0948517463551344, 4.094851746355134},
     {0}},
    {"softmax",
     "heed-check-case 1\n"
     "op softmax\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 input plain 2 3 3 ..\n"
     "values 1 2 3 -1 0 2 -inf -inf\n"
     "values -inf\n"
     "end\n",
     {0.09003057317038046, 0.24472847105479764, 0.6652409557748218, 0.04201006613406605,
      0.11419519938459449, 0.8437947344813395, 0, 0, 0},
     {0}},
    {"log_softmax",
     "heed-check-case 1\n"
     "op log_softmax\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 input plain 2 2 3 ..\n"
     "values 1 2 3 -1 0 50\n"
     "end\n",
     {-2.4076059644443806, -1.4076059644443804, -0.4076059644443804, -51, -50, 0},
     {0}},
    {"layer_norm",
     "heed-check-case 1\n"
     "op layer_norm\n"
     "random 0\n"
     "attrs 8 925353388\n"
     "operand 0 f32 input plain 2 2 4 ..\n"
     "values 1 2 3 4 -5 0 5 1\n"
     "operand 1 f32 input plain 1 4 .\n"
     "values 1 2 -1 0.5\n"
     "operand 2 f32 input plain 1 4 .\n"
     "values 0 1 0 -3\n"
     "end\n",
     {-1.3416354199689269, 0.105576386687382, -0.447211806656309, -2.3291822900155363,
      -1.4739104724702492, 0.8596275740504524, -1.3335380465207016, -2.8947206805378394},
     {0}},
    {"add_broadcast",
     "heed-check-case 1\n"
     "op add\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 input plain 2 2 3 ..\n"
     "values 1 2 3 4 5 6\n"
     "operand 1 f32 input plain 1 3 .\n"
     "values 10 20 30\n"
     "end\n",
     {11, 22, 33, 14, 25, 36},
     {0}},
    {"add_i32_wraps",
     "heed-check-case 1\n"
     "op add\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 i32 input plain 1 2 .\n"
     "values 2147483647 -5\n"
     "operand 1 i32 input plain 1 2 .\n"
     "values 1 7\n"
     "end\n",
     {-2147483648.0, 2},
     {0}},
    {"mul_broadcast",
     "heed-check-case 1\n"
     "op mul\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 input plain 2 2 1 ..\n"
     "values 2 -3\n"
     "operand 1 f32 input plain 2 1 3 ..\n"
     "values 1 2 3\n"
     "end\n",
     {2, 4, 6, -3, -6, -9},
     {0}},
    {"scale",
     "heed-check-case 1\n"
     "op scale\n"
     "random 0\n"
     "attrs 8 3223322624\n"
     "operand 0 f32 input plain 1 3 .\n"
     "values 1 -2 0\n"
     "end\n",
     {-2.5, 5, 0},
     {0}},
    {"relu",
     "heed-check-case 1\n"
     "op relu\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 input plain 1 7 .\n"
     "values -3 -1 -0.5 0 0.5 1 3\n"
     "end\n",
     {0, 0, 0, 0, 0.5, 1, 3},
     {0}},
    {"relu_nan",
     "heed-check-case 1\n"
     "op relu\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 input plain 1 2 .\n"
     "values nan -inf\n"
     "end\n",
     {NAN, 0},
     {0}},
    {"gelu_erf",
     "heed-check-case 1\n"
     "op gelu\n"
     "random 0\n"
     "attrs 8 0\n"
     "operand 0 f32 input plain 1 7 .\n"
     "values -3 -1 -0.5 0 0.5 1 3\n"
     "end\n",
     {-0.00404969409489031, -0.15865525393145707, -0.15426876936299344, 0, 0.34573123063700656,
      0.8413447460685429, 2.99595030590511},
     {0}},
    {"gelu_tanh",
     "heed-check-case 1\n"
     "op gelu\n"
     "random 0\n"
     "attrs 8 1\n"
     "operand 0 f32 input plain 1 7 .\n"
     "values -3 -1 -0.5 0 0.5 1 3\n"
     "end\n",
     {-0.0036373920817729943, -0.15880800939172324, -0.15428599017485606, 0, 0.34571400982514394,
      0.8411919906082768, 2.996362607918227},
     {0}},
    {"silu",
     "heed-check-case 1\n"
     "op silu\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 input plain 1 7 .\n"
     "values -3 -1 -0.5 0 0.5 1 3\n"
     "end\n",
     {-0.14227761953270035, -0.2689414213699951, -0.1887703343990727, 0, 0.3112296656009273,
      0.7310585786300049, 2.8577223804672998},
     {0}},
    {"tanh",
     "heed-check-case 1\n"
     "op tanh\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 input plain 1 7 .\n"
     "values -3 -1 -0.5 0 0.5 1 3\n"
     "end\n",
     {-0.9950547536867305, -0.7615941559557649, -0.46211715726000974, 0, 0.46211715726000974,
      0.7615941559557649, 0.9950547536867305},
     {0}},
    {"sigmoid",
     "heed-check-case 1\n"
     "op sigmoid\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 input plain 1 7 .\n"
     "values -3 -1 -0.5 0 0.5 1 3\n"
     "end\n",
     {0.04742587317756678, 0.2689414213699951, 0.3775406687981454, 0.5, 0.6224593312018546,
      0.7310585786300049, 0.9525741268224334},
     {0}},
    {"embedding",
     "heed-check-case 1\n"
     "op embedding\n"
     "random 0\n"
     "attrs 8 0\n"
     "operand 0 f32 constant plain 2 3 2 ..\n"
     "values 1 2 3 4 5 6\n"
     "operand 1 i32 input plain 1 4 .\n"
     "values 2 0 -1 3\n"
     "end\n",
     {5, 6, 1, 2, 0, 0, 0, 0},
     {0}},
    {"embedding_i8",
     "heed-check-case 1\n"
     "op embedding\n"
     "random 0\n"
     "attrs 8 0\n"
     "operand 0 i8 constant plain 2 2 2 ..\n"
     "values 1 -2 127 4\n"
     "operand 1 i32 input plain 1 2 .\n"
     "values 1 0\n"
     "operand 2 f32 constant plain 1 2 .\n"
     "values 0.5 0.25\n"
     "end\n",
     {31.75, 1, 0.5, -1},
     {0}},
    {"positions_halves",
     "heed-check-case 1\n"
     "op positions\n"
     "random 0\n"
     "attrs 16 0 6 100\n"
     "operand 0 i32 input plain 1 3 .\n"
     "values 0 7 100\n"
     "end\n",
     {0, 0, 0, 1, 1, 1, 0.6569865987187891, 0.31922465060631494, 0.015080471170057421,
      0.7539022543433046, 0.9476790714399449, 0.9998862832288925, 0, 0, 0, 0, 0, 0},
     {0}},
    {"positions_halves_t2t",
     "heed-check-case 1\n"
     "op positions\n"
     "random 0\n"
     "attrs 16 1 6 100\n"
     "operand 0 i32 input plain 1 3 .\n"
     "values 0 7 100\n"
     "end\n",
     {0, 0, 0, 1, 1, 1, 0.6569865987187891, 0.06994284733753277, 0.0006999999428333347,
      0.7539022543433046, 0.9975510002532796, 0.99999975500001, 0, 0, 0, 0, 0, 0},
     {0}},
    {"positions_interleaved",
     "heed-check-case 1\n"
     "op positions\n"
     "random 0\n"
     "attrs 16 2 6 100\n"
     "operand 0 i32 input plain 1 3 .\n"
     "values 0 7 100\n"
     "end\n",
     {0, 1, 0, 1, 0, 1, 0.6569865987187891, 0.7539022543433046, 0.31922465060631494,
      0.9476790714399449, 0.015080471170057421, 0.9998862832288925, 0, 0, 0, 0, 0, 0},
     {0}},
    {"concat",
     "heed-check-case 1\n"
     "op concat\n"
     "random 0\n"
     "attrs 8 1\n"
     "operand 0 f32 input plain 2 2 1 ..\n"
     "values 1 2\n"
     "operand 1 f32 input plain 2 2 2 ..\n"
     "values 3 4 5 6\n"
     "end\n",
     {1, 3, 4, 2, 5, 6},
     {0}},
    {"copy_of_a_view",
     "heed-check-case 1\n"
     "op copy\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 input transposed 2 3 2 ..\n"
     "view 1 0 1 0 0 0 0 1 0 0\n"
     "values 1 2 3 4 5 6\n"
     "end\n",
     {1, 2, 3, 4, 5, 6},
     {0}},
    {"cast_i32",
     "heed-check-case 1\n"
     "op cast\n"
     "random 0\n"
     "attrs 8 4\n"
     "operand 0 f32 input plain 1 6 .\n"
     "values 1.9 -1.9 3000000000.0 -3000000000.0 nan 7\n"
     "end\n",
     {1, -1, 2147483647, -2147483648.0, 0, 7},
     {0}},
    {"cast_f16",
     "heed-check-case 1\n"
     "op cast\n"
     "random 0\n"
     "attrs 8 2\n"
     "operand 0 f32 input plain 1 3 .\n"
     "values 1.0009765625 65520 0.333251953125\n"
     "end\n",
     {1.0009765625, INFINITY, 0.333251953125},
     {0}},
    {"argmax_ties",
     "heed-check-case 1\n"
     "op argmax\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 input plain 2 3 4 ..\n"
     "values 1 5 5 2 nan -1 -2 -1\n"
     "values 3 2 1 0\n"
     "end\n",
     {1, 1, 0},
     {0}},
    {"top_k_ties",
     "heed-check-case 1\n"
     "op top_k\n"
     "random 0\n"
     "attrs 8 3\n"
     "operand 0 f32 input plain 2 2 4 ..\n"
     "values 1 5 5 2 nan -1 -2 -1\n"
     "end\n",
     {5, 5, 2, -1, -1, -2},
     {1, 2, 3, 1, 3, 2}},
    {"cache_append",
     "heed-check-case 1\n"
     "op cache_append\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 state plain 3 2 3 2 ...\n"
     "values 0 0 0 0 0 0 9 9\n"
     "values 9 9 9 9\n"
     "operand 1 f32 input plain 3 2 2 2 ...\n"
     "values 1 2 3 4 5 6 7 8\n"
     "operand 2 i32 input plain 1 2 .\n"
     "values 2 0\n"
     "operand 3 i32 input plain 1 2 .\n"
     "values 1 0\n"
     "end\n",
     {5, 6, 7, 8, 0, 0, 9, 9, 9, 9, 1, 2},
     {0}},
    {"gather_rows",
     "heed-check-case 1\n"
     "op gather_rows\n"
     "random 0\n"
     "attrs 0\n"
     "operand 0 f32 input plain 2 3 2 ..\n"
     "values 1 2 3 4 5 6\n"
     "operand 1 i32 input plain 1 3 .\n"
     "values 2 -1 0\n"
     "end\n",
     {5, 6, 0, 0, 1, 2},
     {0}},
    {"advance",
     "heed-check-case 1\n"
     "op advance\n"
     "random 0\n"
     "attrs 12 0 10\n"
     "operand 0 i32 input plain 2 5 3 ..\n"
     "values 3 4 5 1 2 9 2 3\n"
     "values 10 0 1 2 7 8 9\n"
     "operand 1 i32 input plain 1 3 .\n"
     "values 6 0 7\n"
     "end\n",
     {6, -1, -1, 2, 10, 10, 3, 0, 0, 0, -1, -1, 7, -1, -1},
     {0}},
};

#endif
