/* SPDX-License-Identifier: Apache-2.0 */
/* Sums by weights exp(score - m), of parts that each have an m of their own: their greatest score
 * (Milakov and Gimelshein 2018). common/attention.glsl says in which order. */
const uint MINUS_INFINITY = 0xff800000u;

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
