/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extra.h - the extra data of a gotrace file: what Go's format cannot hold.
 *
 * Where it is. In string tables, in strings that no event refers to: ids from EXTRA_FIRST_ID, at
 * most 1024 bytes each, beginning with the five bytes EXTRA_MAGIC. Foreign readers load and ignore
 * them (design.md; verified with go tool trace 1.22 to 1.26, x/exp/trace, gotraceui). One call of
 * writer_extra is one chunk, cut into parts:
 *
 *	EXTRA_MAGIC | chunk varint | part varint | is_last u8 | bytes
 *
 * chunk counts from 0 over the whole file, part from 0 inside the chunk; the parts of a chunk stand
 * in one generation, in order. A chunk belongs to the generation of the batch it stands in. A chunk
 * without its last part is not used.
 *
 * What is in it. The first byte of a chunk is its enum extra_kind; a reader skips kinds that it
 * does not know:
 *
 *	EXTRA_METADATA      lines "key=value\n", UTF-8 by convention. A later line of a key replaces an earlier one.
 *	                    Written by cmd. Key "waitreason.N" names number N of EXTRA_ATTACH.
 *	EXTRA_WAITS         what the blocks of this generation wait for: one code per GoBlock event, in the order of
 *	                    their times (of one time: as they stand in the stream of the thread). Coding: enum extra_wait_code.
 *	                    A generation without this chunk: none of its objects is known.
 *	EXTRA_ATTACH        n varint, then per goroutine that waited at attach: goid as zigzag difference to the one before,
 *	                    enum block_reason u8, index in the target's waitReasonStrings u8.
 *	EXTRA_LOSS          from_ns varint, to_ns varint, records varint: so many records of this interval were lost. Times are
 *	                    CLOCK_MONOTONIC as the stamps of the file.
 *
 * Numbers are appended, never reused.
 */
#ifndef TRACE_EXTRA_H
#define TRACE_EXTRA_H

#include "base/base.h"

#define EXTRA_FIRST_ID (1ull << 40)
#define EXTRA_MAGIC "\0gtx1"
#define EXTRA_MAGIC_LEN 5
#define EXTRA_STRING_MAX 1024

enum extra_kind { EXTRA_METADATA = 1, EXTRA_WAITS = 2, EXTRA_ATTACH = 3, EXTRA_LOSS = 4 };

/*
 * Codes of EXTRA_WAITS, varints. An object is (enum wait_kind, uint64); objects count from 0 in
 * order of EXTRA_WAIT_NEW.
 */
enum extra_wait_code {
	EXTRA_WAIT_PREDICTED = 0, /* what followed the last time after the object before this one */
	EXTRA_WAIT_NOTHING = 1,   /* not known; leaves "the object before" as it is */
	/* kind u8, then the object as zigzag difference to the last new one */
	EXTRA_WAIT_NEW = 2,
	EXTRA_WAIT_KNOWN = 3,     /* this + the number of the object */
};

static inline uint64_t extra_zigzag(int64_t x) { return (uint64_t)x << 1 ^ (uint64_t)(x >> 63); }
static inline int64_t extra_unzigzag(uint64_t x) { return (int64_t)(x >> 1) ^ -(int64_t)(x & 1); }

/*
 * Chunks for writer_extra / order_extra. Metadata: begin once, then any number of lines; a
 * newline in a value becomes a space.
 */
void extra_begin(struct buf *chunk, enum extra_kind kind);
void extra_metadata(struct buf *chunk, const char *key, const char *fmt, ...) PRINTF(3, 4);
void extra_loss(struct buf *chunk, uint64_t from_ns, uint64_t to_ns, uint64_t records);

/*
 * Codes the wait objects of one generation: wait_coder_add per GoBlock, then take `chunk` and
 * reset. Measured: 1.0 byte a block with up to 124 objects or where they follow each other as
 * before; 2 with thousands at random.
 */
struct wait_coder {
	struct buf chunk;
	struct map64 numbers;   /* hash of an object -> number + 1 */
	/* next: number + 1 of its follower */
	VEC(struct wait_object { uint64_t object; uint32_t next; uint8_t kind; }) objects;
	uint32_t before;        /* number + 1 of the object before */
	uint64_t last_new;
	bool has_any;           /* something else than NOTHING was added */
};
void wait_coder_add(struct wait_coder *c, uint8_t kind, uint64_t object);
void wait_coder_reset(struct wait_coder *c);
void wait_coder_free(struct wait_coder *c);

#endif
