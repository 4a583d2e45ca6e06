/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_extra.c - any bytes as a trace with extra data: the scan, and each kind of chunk. */
#include "fuzz.h"

#include "read/extra.h"
#include "trace/extra.h"

static void take_waits(const struct extra_chunk *chunk)
{
	struct wait_decoder d;
	uint8_t kind;
	uint64_t object;

	wait_decoder_init(&d, chunk);
	while (wait_decoder_next(&d, &kind, &object) > 0)
		;
	wait_decoder_free(&d);
}

static void take_attach(const struct extra_chunk *chunk)
{
	struct attach_decoder d;
	uint64_t goid;
	uint8_t block, wait;

	attach_decoder_init(&d, chunk);
	while (attach_decoder_next(&d, &goid, &block, &wait) > 0)
		;
}

static void take_chunk(const struct extra_chunk *chunk)
{
	uint64_t from, to, records;

	touch(chunk->data, chunk->n);
	take_waits(chunk);
	take_attach(chunk);
	extra_decode_loss(chunk, &from, &to, &records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct extra_chunks x;

	if (extra_scan(data, n, &x))
		return 0;
	for (size_t i = 0; i < x.chunks.n; i++)
		take_chunk(&x.chunks.v[i]);
	char *pid = extra_metadata_value(&x, "pid");

	free(pid);
	extra_chunks_free(&x);
	return 0;
}

/* The strings of a table, where the data is. */
static bool string_head(const uint8_t *data, size_t n, size_t *head)
{
	struct cursor c = cursor_of(data, n);

	if (cursor_u8(&c) != 5)
		return false;
	cursor_varint(&c);
	*head = n - cursor_left(&c);
	return !c.bad;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed)
{
	struct piece batch;
	size_t first = 16;

	/* half of the time the strings of one batch without its size, which the other half mends */
	if (seed & 1)
		return mutate_batches(data, n, max, seed);
	for (unsigned skip = seed >> 1 & 7; piece_at(data, n, first, trace_batch_head, &batch) && skip--;)
		first = batch.body + batch.n;
	return mutate_pieces(data, n, max, seed, first < n && piece_at(data, n, first, trace_batch_head, &batch) ?
			     batch.body + 1 : 16, string_head);
}
