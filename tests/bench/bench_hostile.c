/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_hostile.c - traces made to be slow, or to take memory: microseconds and bytes of memory for a byte of the file.
 *
 *	make build/bench/bench_hostile && build/bench/bench_hostile [MEGABYTES [CASE]]
 *
 * Each is read in a process of its own. A trace of gotrace or of the runtime takes 0.01 us a byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "read/reader.h"

struct trace {
	struct buf file, batch;
	size_t size;
	uint64_t generation;
};

static void begin(struct trace *t, int minor)
{
	buf_printf(&t->file, "go 1.%d trace", minor);
	buf_add(&t->file, "\0\0\0", 3);
	t->generation = 1;
}

static void flush(struct trace *t, uint64_t m, uint64_t time)
{
	buf_byte(&t->file, 1);
	buf_varint(&t->file, t->generation);
	buf_varint(&t->file, m);
	buf_varint(&t->file, time);
	buf_varint(&t->file, t->batch.n);
	buf_add(&t->file, t->batch.v, t->batch.n);
	t->batch.n = 0;
}

/* type, difference of time, arguments; a new batch when this one is full of the same kind */
#define PUT(t, ...) put((t), (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 8)
static void put(struct trace *t, const uint64_t *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_varint(&t->batch, x[i]);
}

static void frequency(struct trace *t)
{
	PUT(t, 8, 1000000000);
	flush(t, UINT64_MAX, 1);
}

/* Thread 1 has P 0 and runs goroutine 1. */
static void context(struct trace *t, uint64_t time)
{
	PUT(t, EV_PROC_STATUS, 1, 0, 1, EV_GO_STATUS, 1, 1, 1, 2);
	flush(t, 1, time);
}

static bool full(const struct trace *t)
{
	return t->batch.n > 65000;
}

/* Half of the file: threads whose first event waits for ever. The other: events of one thread, each tried after all of them. */
static void waiting_threads(struct trace *t)
{
	begin(t, 22);
	frequency(t);
	context(t, 2);
	for (uint64_t m = 2; t->file.n < t->size / 2; m++) {
		PUT(t, EV_PROC_START, 1, 7, 1);
		flush(t, m, 10);
	}
	for (uint64_t time = 100; t->file.n < t->size; time += 30000) {
		while (!full(t))
			PUT(t, EV_HEAP_ALLOC, 1, 5);
		flush(t, 1, time);
	}
}

static void tiny_generations(struct trace *t)
{
	begin(t, 26);
	for (; t->file.n < t->size; t->generation++) {
		PUT(t, 50, 8, 1000000000, 51, 1, 1, 1, 1);
		flush(t, UINT64_MAX, t->generation);
		buf_byte(&t->file, 52);
	}
}

/* The same, and many goroutines, Ps and threads that are alive. */
static void tiny_generations_of_many(struct trace *t)
{
	begin(t, 22);
	for (; t->file.n < t->size; t->generation++) {
		frequency(t);
		if (t->generation > 1)
			continue;
		for (uint64_t g = 1; t->file.n < t->size / 4; g++) {
			while (!full(t))
				PUT(t, EV_GO_STATUS, 0, g++, UINT64_MAX, 4);
			flush(t, UINT64_MAX, 1);
		}
		for (uint64_t m = 1; t->file.n < t->size / 2; m++) {
			PUT(t, EV_PROC_STATUS, 0, m, 4);
			flush(t, m, 1);
		}
	}
}

static void tiny_generations_with_sparse_ids(struct trace *t)
{
	begin(t, 22);
	for (; t->file.n < t->size; t->generation++) {
		frequency(t);
		PUT(t, 4, 5, 1 << 20, 0, 5, 1023, 0, 5, 6000, 0);
		flush(t, UINT64_MAX, 1);
	}
}

static void strings_of_numbers(struct trace *t, uint64_t first, uint64_t n)
{
	for (uint64_t id = first; id < first + n;) {
		buf_byte(&t->batch, 4);
		for (; id < first + n && !full(t); id++)
			PUT(t, 5, id, 0);
		flush(t, UINT64_MAX, 1);
	}
}

/* Stops of the world of ever other kinds, never ended. */
static void open_ranges(struct trace *t)
{
	uint64_t n = t->size / 12;

	begin(t, 22);
	frequency(t);
	strings_of_numbers(t, 1, n);
	context(t, 2);
	for (uint64_t kind = 1, time = 100; kind < n; time += 65000) {
		while (!full(t) && kind < n)
			PUT(t, EV_STW_BEGIN, 1, kind++, 0);
		flush(t, 1, time);
	}
}

static uint64_t unhash(uint64_t h)
{
	/* inverse of hash_u64 */
	h ^= h >> 31 ^ h >> 62;
	h *= 0x319642b2d24d8ec3ull;
	h ^= h >> 27 ^ h >> 54;
	h *= 0x96de1b173f119089ull;
	return h ^ h >> 30 ^ h >> 60;
}

/* Ids that hash to one place. */
static void colliding_goroutines(struct trace *t)
{
	begin(t, 22);
	frequency(t);
	for (uint64_t k = 1; t->file.n < t->size;) {
		while (!full(t))
			PUT(t, EV_GO_STATUS, 0, unhash(k++ << 40), UINT64_MAX, 4);
		flush(t, UINT64_MAX, 1);
	}
}

/* Strings of 16 bytes with one hash, all referred to. */
static void colliding_strings(struct trace *t)
{
	uint64_t n = t->size / 26;

	begin(t, 22);
	frequency(t);
	for (uint64_t id = 1; id <= n;) {
		buf_byte(&t->batch, 4);
		for (; id <= n && !full(t); id++) {
			uint64_t h = 1 ^ 16 * 0x9e3779b97f4a7c15ull, w[2] = {id};

			w[1] = hash_u64(h ^ w[0]);
			PUT(t, 5, id, 16);
			buf_add(&t->batch, w, 16);
		}
		flush(t, UINT64_MAX, 1);
	}
	context(t, 2);
	for (uint64_t id = 1, time = 100; id <= n; time += 65000) {
		while (!full(t) && id <= n)
			PUT(t, EV_GO_LABEL, 1, id++);
		flush(t, 1, time);
	}
}

static void many_threads(struct trace *t)
{
	begin(t, 22);
	frequency(t);
	for (uint64_t m = 1; t->file.n < t->size; m++) {
		PUT(t, EV_GO_STATUS, 1, m, UINT64_MAX, 4);
		flush(t, m, m);
	}
}

static void many_threads_of_nothing(struct trace *t)
{
	begin(t, 22);
	frequency(t);
	for (uint64_t m = 1; t->file.n < t->size; m++)
		flush(t, m, m);
}

/* Stacks of 128 frames of four bytes, each referred to. */
static void deep_stacks(struct trace *t)
{
	uint64_t n = t->size / 520;

	begin(t, 22);
	frequency(t);
	for (uint64_t id = 1; id <= n;) {
		buf_byte(&t->batch, 2);
		for (; id <= n && t->batch.n < 64000; id++) {
			PUT(t, 3, id, 128);
			for (int i = 0; i < 128; i++)
				PUT(t, i < 3 ? id >> (7 * i) & 127 : 1, 0, 0, 0);
		}
		flush(t, UINT64_MAX, 1);
	}
	context(t, 2);
	for (uint64_t id = 1, time = 100; id <= n; time += 65000) {
		while (!full(t) && id <= n)
			PUT(t, EV_PROCS_CHANGE, 1, 1, id++);
		flush(t, 1, time);
	}
}

static const struct { const char *name; void (*make)(struct trace *t); } cases[] = {
	{"waiting threads", waiting_threads},
	{"tiny generations", tiny_generations},
	{"tiny ones, many alive", tiny_generations_of_many},
	{"tiny ones, sparse ids", tiny_generations_with_sparse_ids},
	{"open ranges", open_ranges},
	{"colliding goroutines", colliding_goroutines},
	{"colliding strings", colliding_strings},
	{"many threads", many_threads},
	{"threads of nothing", many_threads_of_nothing},
	{"deep stacks", deep_stacks},
};

static void measure(size_t i, size_t size)
{
	struct trace t = {.size = size};
	struct trace_reader *r;
	const struct event *ev;
	struct why why;
	struct rusage before, after;
	uint64_t events = 0;

	cases[i].make(&t);
	int fd = memfd_create("trace", MFD_CLOEXEC), n;

	if (fd < 0 || write_all(fd, t.file.v, t.file.n) || lseek(fd, 0, SEEK_SET))
		abort();
	buf_free(&t.file);
	getrusage(RUSAGE_SELF, &before);
	uint64_t begin_ns = now_ns();

	if (trace_reader_open(fd, &r, &why))
		abort();
	while ((n = trace_reader_next(r, &ev)) > 0)
		events++;
	uint64_t ns = now_ns() - begin_ns;

	getrusage(RUSAGE_SELF, &after);
	printf("%-22s %9.3f us/byte %7.1f bytes/byte %9llu events  %s\n", cases[i].name,
	       (double)ns / 1e3 / (double)trace_reader_offset(r),
	       (double)(after.ru_maxrss - before.ru_maxrss) * 1024 / (double)trace_reader_offset(r), (unsigned long long)events,
	       n < 0 ? trace_reader_error(r) : "");
}

int main(int argc, char **argv)
{
	size_t size = (size_t)((argc > 1 ? strtod(argv[1], NULL) : 4) * (1 << 20));

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (argc > 2 && !strstr(cases[i].name, argv[2]))
			continue;
		fflush(stdout);
		if (fork() == 0) {
			alarm(60);
			measure(i, size);
			fflush(stdout);
			_exit(0);
		}
		int status;

		wait(&status);
		if (status)
			printf("%-22s more than 60 s\n", cases[i].name);
	}
	return 0;
}
