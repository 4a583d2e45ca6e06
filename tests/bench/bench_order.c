/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_order.c - what order and writer cost per record, capture and symbols left aside.
 *
 *	bench_order [MILLIONS [GOROUTINES [FILE]]]
 *
 * Synthetic records as a busy program gives them: goroutines on four threads start, wake another
 * and block, with a few hundred stacks and wait objects. Prints CPU time, so that another program
 * on the machine does not count.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "order/order.h"

enum { THREADS = 4, STACKS = 400, DEPTH = 20 };

static int frames(struct symbols *self, uint64_t pc, struct frame *out, int max)
{
	static const char *const names[] = {"main.work", "net/http.(*conn).serve",
		"sync.(*Mutex).Lock", "main.main"};

	*out = (struct frame){.pc = pc, .func = names[pc >> 12 & 3], .file = "/src/main.go",
		.line = pc & 0xfff};
	return 1;
}

static int start_func(struct symbols *self, uint64_t pc, struct frame *out)
{
	return frames(self, pc, out, 1) != 1;
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void define_stacks(struct order *o)
{
	for (uint32_t id = 1; id <= STACKS; id++) {
		uint64_t pcs[DEPTH];

		for (int i = 0; i < DEPTH; i++)
			pcs[i] = 0x400000 + hash_u64(id * 100 + (uint64_t)i / 4) % 0x40000;
		order_stack(o, &(struct stack_def){.id = id, .n = DEPTH, .pcs = pcs});
	}
}

struct load {
	struct order *order;
	uint64_t now, records;
	uint32_t n_g;
};

static void put(struct load *l, struct record r, uint32_t thread)
{
	l->now += 700;
	r.ts_ns = l->now;
	r.tid = 1000 + thread;
	r.p = (int32_t)thread;
	l->records++;
	if (order_record(l->order, &r))
		exit(1);
}

static void begin(struct load *l)
{
	for (uint32_t t = 0; t < THREADS; t++)
		put(l, (struct record){.type = REC_PROC_START}, t);
	for (uint32_t g = 1; g <= l->n_g; g++) {
		put(l, (struct record){.type = REC_GO_CREATE, .goid = g, .arg = 0x401000,
			.stack = 1}, 0);
		put(l, (struct record){.type = REC_GO_START, .goid = g}, 0);
		put(l, (struct record){.type = REC_GO_BLOCK, .goid = g, .reason = BLOCK_CHAN_RECV,
			.stack = 2}, 0);
	}
}

/* The goroutine of a thread's turn: each thread has its own quarter, woken by the one before. */
static void turn(struct load *l, uint64_t i)
{
	uint32_t t = (uint32_t)(i % THREADS);
	uint64_t g = 1 + hash_u64(i / 2) % (l->n_g / THREADS) * THREADS + t;
	uint32_t stack = 1 + (uint32_t)(hash_u64(i) % STACKS);

	if (g > l->n_g)
		return;
	put(l, (struct record){.type = REC_GO_UNBLOCK, .goid = g, .stack = stack, .skip = 2},
	    (t + 1) % THREADS);
	put(l, (struct record){.type = REC_GO_START, .goid = g}, t);
	put(l, (struct record){
		.type = REC_GO_BLOCK, .goid = g, .reason = BLOCK_CHAN_RECV, .stack = stack,
		.skip = 1,
		.wait_kind = WAIT_CHAN, .object = 0xc000000000 + g / 2 * 96,
	}, t);
}

int main(int argc, char **argv)
{
	uint64_t want = (argc > 1 ? strtoull(argv[1], NULL, 0) : 10) * 1000000;
	struct load l = {.now = 1000000000, .n_g = argc > 2 ? (uint32_t)atoi(argv[2]) : 1000};
	int fd = open(argc > 3 ? argv[3] : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		      0644);
	struct symbols symbols = {frames, start_func};

	if (fd < 0 || l.n_g < 4)
		return 2;
	struct stacks *stacks = stacks_new(&symbols);
	struct writer *w = writer_new(fd, 23, WRITER_TICK_SHIFT, stacks_source(stacks));

	l.order = order_new(&(struct order_config){.writer = w, .stacks = stacks, .minor = 23,
		.wait_objects = true});
	define_stacks(l.order);
	begin(&l);
	uint64_t records = l.records, bytes = writer_written(w);
	double ns = cpu_ns();

	for (uint64_t i = 0; l.records < want; i++)
		turn(&l, i);
	if (order_finish(l.order))
		return 1;
	ns = cpu_ns() - ns;
	records = l.records - records;
	bytes = writer_written(w) - bytes;
	const struct order_counts *c = order_counts(l.order);

	printf("%.1f M records: %.1f ns each, %.0f MB/s, %.2f bytes each; %lu generations, %lu repairs, %lu dropped\n",
	       (double)records / 1e6, ns / (double)records, (double)bytes / ns * 1e3,
		       (double)bytes / (double)records,
	       c->generations, c->repairs, c->dropped);
	order_free(l.order);
	writer_free(w);
	stacks_free(stacks);
	close(fd);
	return 0;
}
