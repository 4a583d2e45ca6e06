/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varint.h - unsigned LEB128 by the handful: where a reader spends its time.
 *
 * The ends of all numbers of an event are found at once in sixteen bytes, so that nothing waits for the length of the
 * number before. May read VARINT_SLACK bytes from p; what it takes is checked against end.
 */
#ifndef READ_VARINT_H
#define READ_VARINT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { VARINT_SLACK = 24 };

/* Bit i: byte i ends a number. */
static inline uint32_t varint_ends(const uint8_t *p)
{
#ifdef __SSE2__
	return ~(uint32_t)_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)p)) & 0xffff;
#else
	uint32_t ends = 0;

	for (unsigned i = 0; i < 16; i++)
		ends |= (uint32_t)(p[i] < 0x80) << i;
	return ends;
#endif
}

/* The number of n bytes, 1 to 8. */
static inline uint64_t varint_short(const uint8_t *p, unsigned n)
{
	uint64_t x;

	memcpy(&x, p, 8);
	x &= UINT64_MAX >> (64 - 8 * n);
	x = (x & 0x007f007f007f007full) | (x & 0x7f007f007f007f00ull) >> 1;
	x = (x & 0x00003fff00003fffull) | (x & 0x3fff00003fff0000ull) >> 2;
	return (x & 0x000000000fffffffull) | (x & 0x0fffffff00000000ull) >> 4;
}

/* One number of up to ten bytes: what follows it, NULL if it does not end before `end` or is too large. */
static inline const uint8_t *varint_long(const uint8_t *p, const uint8_t *end, uint64_t *ret)
{
	uint64_t x = 0;

	for (unsigned shift = 0; p < end && shift < 70; shift += 7, p++) {
		if (shift == 63 && *p > 1)
			return NULL;
		x |= (uint64_t)(*p & 0x7f) << shift;
		if (*p < 0x80) {
			*ret = x;
			return p + 1;
		}
	}
	return NULL;
}

/* n numbers, n at most 6: what follows them, NULL as above. */
static inline const uint8_t *varints(const uint8_t *p, const uint8_t *end, uint64_t *ret, unsigned n)
{
	uint32_t ends = varint_ends(p);

	for (unsigned i = 0; i < n; i++) {
		unsigned len = ends ? (unsigned)__builtin_ctz(ends) + 1 : 16;

		if (len > 8) { /* or the sixteen bytes are used up */
			p = varint_long(p, end, &ret[i]);
			if (!p)
				return NULL;
			ends = varint_ends(p);
			continue;
		}
		ret[i] = varint_short(p, len);
		p += len;
		ends >>= len;
	}
	return p <= end ? p : NULL;
}

#endif
