/* SPDX-License-Identifier: Apache-2.0 */
/* Sums by weights exp(score - m), of parts that each have an m of their own: their greatest score
 * (Milakov and Gimelshein 2018). common/attention.glsl says in which order. */
const uint MINUS_INFINITY = 0xff800000u;

/* Adds the products of four elements to `sum`, one by one. */
float add_four_products(vec4 a, vec4 b, float sum) {
    precise const float result =
        fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
    return result;
}

/* The weight of a key in its tile, whose greatest score is given. Where all are minus infinity,
 * weights are 0, or NaN where a score is. */
float weight_of(float score, float greatest) {
    precise const float shifted =
        floatBitsToUint(greatest) == MINUS_INFINITY ? score : score - greatest;
    return heed_exp(shifted);
}

/* Takes the greatest score of a tile in; the factors for the sums so far, and for the tile's. */
vec2 factors_of(inout float greatest, float tile) {
    const float before = greatest;
    greatest = tile > before ? tile : before;
    return vec2(greatest > before ? heed_exp(before - greatest) : 1.0,
                greatest > tile ? heed_exp(tile - greatest) : 1.0);
}

float merged(float sum, float tile, vec2 factors) {
    precise const float scaled = sum * factors.x, result = fma(tile, factors.y, scaled);
    return result;
}

vec4 merged(vec4 sum, vec4 tile, vec2 factors) {
    precise const vec4 scaled = sum * factors.x, result = fma(tile, vec4(factors.y), scaled);
    return result;
}
