/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generation.h - one generation of a trace file: its batches by thread and its tables of strings, stacks, samples.
 *
 * The tables may stand anywhere in a generation, so all of it is read before the first event: memory is that of the
 * largest generation, as it stands in the file, plus its tables. What is accepted is what internal/trace/generation.go of Go
 * 1.26 accepts, with the sentences that say where and why not.
 *
 *	generation_load(&g, src, minor, &why) == 1 ... use ... generation_load again; generation_free
 */
#ifndef READ_GENERATION_H
#define READ_GENERATION_H

#include "gotrace/event.h"
#include "read/source.h"

enum { BATCH_MAX = 65536, STRING_MAX = 1024, STACK_FRAMES_MAX = 128 };

struct batch {
	uint64_t time;         /* in the file's unit */
	const uint8_t *data, *end; /* VARINT_SLACK bytes may be read beyond end */
	uint64_t offset;       /* of data in the file */
};

struct batches {               /* of one thread, in file order */
	uint64_t m;            /* EVENT_NO_M: no thread */
	VEC(struct batch) list;
};

struct gen_frame {
	uint64_t pc, func, file, line; /* func, file: ids of strings of this generation */
};

struct gen_stack {
	uint32_t first, n;     /* in stack_frames */
	uint32_t number;       /* for the reader's own use, 0 at first */
};

struct gen_string {
	struct str bytes;      /* dies with the generation */
	const char *kept;      /* for the reader's own use, NULL at first */
};

struct gen_sample {
	int64_t time_ns;
	uint64_t m, p, g, stack;
	uint32_t order;        /* in the file */
};

/* From the ids of a table to indexes: dense as writers number, without letting an id ask for memory. */
struct id_table {
	VEC(uint32_t) dense;   /* index + 1 */
	struct map64 sparse;   /* likewise */
	size_t n;
};

struct generation {
	uint64_t number;
	uint64_t min_time;     /* the smallest of all batches, in the file's unit */
	double ns_per_unit;
	uint64_t whole_ns_per_unit; /* up to 2^20; 0: it is no whole number */
	bool has_frequency, has_clock, has_unknown_experiment;
	uint64_t clock_units, clock_mono_ns, clock_wall_sec, clock_wall_nsec;
	VEC(struct batches) threads; /* in order of appearance; lists beyond n_threads are kept for reuse */
	size_t n_threads;
	VEC(struct gen_string) strings;
	VEC(struct gen_stack) stacks;
	VEC(uint32_t) stack_frames; /* indexes into frames */
	VEC(struct gen_frame) frames; /* one per pc: the first definition counts for all stacks */
	VEC(struct gen_sample) samples; /* by time */
	VEC(struct str) extra; /* entries of the string tables that are parts of read/extra.h's */
	struct id_table string_ids, stack_ids;
	/* private */
	struct map64 thread_index, pc_index;
};

/*
 * The next generation of a file with header 1.minor. 1; 0 at the end of the file; -EBADMSG with a sentence: it cannot be used.
 * *cut: the bytes after this generation are wrong, it is complete as far as they go (a sentence in why, returned 1).
 */
int generation_load(struct generation *g, struct source *src, int minor, bool *cut, struct why *why);
void generation_free(struct generation *g);

/* NULL: no such id. Id 0: the empty string. */
struct gen_string *generation_string(struct generation *g, uint64_t id);
/* NULL: no such id, and for 0. */
struct gen_stack *generation_stack(struct generation *g, uint64_t id);

/* As Go's reader converts, to the bit: units as double times ns_per_unit, cut; what is too large, as amd64 has it. */
static inline int64_t generation_ns(const struct generation *g, uint64_t units)
{
	if (units < 1ull << 32 && g->whole_ns_per_unit) /* the same, in 3 cycles instead of 15 */
		return (int64_t)(units * g->whole_ns_per_unit);
	double ns = (double)units * g->ns_per_unit;

	return ns < 9223372036854775808.0 ? (int64_t)ns : INT64_MIN;
}

#endif
