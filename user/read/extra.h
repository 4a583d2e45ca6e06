/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extra.h - gets back what gotrace hid in a trace file (trace/extra.h: the coding and the kinds).
 *
 * A scanner of batches and string tables, for any v2 header and whoever wrote the file: a file
 * without extra data gives no chunks. The bytes are untrusted: nothing is allocated that the file
 * does not hold, what cannot be read ends the scan.
 *
 *	extra_scan(bytes, n, &x);  for (size_t i = 0; i < x.chunks.n; i++) ... x.chunks.v[i] ...;  extra_chunks_free(&x);
 */
#ifndef READ_EXTRA_H
#define READ_EXTRA_H

#include "base/base.h"

struct extra_chunk {
	uint64_t generation;  /* number of the generation it stands in */
	uint8_t kind;         /* enum extra_kind, or one of the future */
	const uint8_t *data;  /* after the kind byte; owned by whoever gave the chunk */
	size_t n;
};

/*
 * Chunks from string table entries, one after the other in file order, for who reads the file anyhow (read/reader.h does). 1 when a
 * chunk is whole; its bytes die with the next call. The zero joiner is empty.
 */
struct extra_join {
	struct buf bytes;
	uint64_t generation, chunk, next_part;
	bool is_open;
	size_t broken;         /* chunks that lacked a part */
};
bool extra_is_part(uint64_t id, const void *s, size_t n);
bool extra_join(struct extra_join *j, uint64_t generation, const void *s, size_t n, struct extra_chunk *ret);
void extra_join_free(struct extra_join *j);

struct extra_chunks {
	VEC(struct extra_chunk) chunks; /* in file order */
	bool is_cut;                    /* the file does not end where a batch ends */
	size_t broken;                  /* chunks that lack a part */
};

/* 0, or -EBADMSG: not a Go execution trace v2. A cut file gives what was there. */
int extra_scan(const void *trace, size_t n, struct extra_chunks *ret);
/* Adds a copy of the chunk. The zero extra_chunks is empty. */
void extra_keep(struct extra_chunks *x, const struct extra_chunk *chunk);
void extra_chunks_free(struct extra_chunks *x);

/* The value of a metadata key, the last one said; NULL: none. Free it. */
char *extra_metadata_value(const struct extra_chunks *x, const char *key);

/*
 * EXTRA_WAITS: 1 and the object of the next block (kind WAIT_NOTHING: not known), 0 at the end,
 * -EBADMSG.
 */
struct wait_decoder {
	struct cursor c;
	VEC(struct wait_seen { uint64_t object; uint32_t next; uint8_t kind; }) objects;
	uint32_t before;
	uint64_t last_new;
};
void wait_decoder_init(struct wait_decoder *d, const struct extra_chunk *chunk);
int wait_decoder_next(struct wait_decoder *d, uint8_t *kind, uint64_t *object);
void wait_decoder_free(struct wait_decoder *d);

/* EXTRA_ATTACH likewise. */
struct attach_decoder {
	struct cursor c;
	uint64_t left, goid;
};
void attach_decoder_init(struct attach_decoder *d, const struct extra_chunk *chunk);
int attach_decoder_next(struct attach_decoder *d, uint64_t *goid, uint8_t *block_reason,
			uint8_t *wait_reason);

/* EXTRA_LOSS: 0 or -EBADMSG. */
int extra_decode_loss(const struct extra_chunk *chunk, uint64_t *from_ns, uint64_t *to_ns,
		      uint64_t *records);

#endif
