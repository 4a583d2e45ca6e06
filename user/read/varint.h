/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varint.h - unsigned LEB128 by the handful: where a reader spends its time.
 *
 * Nearly all numbers of a trace have one to three bytes, so these are unrolled and the end is checked once. Finding all ends
 * at once in sixteen bytes (SSE2) was tried: 29 against 23 ns for a whole event of reader.c, for the branches are well predicted.
 */
#ifndef READ_VARINT_H
#define READ_VARINT_H

#include <stddef.h>
#include <stdint.h>

enum { VARINT_SLACK = 24 }; /* bytes that may be read beyond the end: 6 numbers of 3 bytes, and some */

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
#pragma GCC unroll 6
	for (unsigned i = 0; i < n; i++) {
		if (p[0] < 0x80) {
			ret[i] = p[0];
			p += 1;
		} else if (p[1] < 0x80) {
			ret[i] = (p[0] & 0x7fu) | (uint64_t)p[1] << 7;
			p += 2;
		} else if (p[2] < 0x80) {
			ret[i] = (p[0] & 0x7fu) | (p[1] & 0x7fu) << 7 | (uint64_t)p[2] << 14;
			p += 3;
		} else {
			p = varint_long(p, end, &ret[i]);
			if (!p)
				return NULL;
		}
	}
	return p <= end ? p : NULL;
}

#endif
