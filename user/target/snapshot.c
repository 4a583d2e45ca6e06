/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c - see snapshot.h. Offsets come from the plan; statuses are those of
 * runtime/runtime2.go, Go 1.18-1.27. */
#include "target/snapshot.h"
#include "target/wait_reasons.h"

#include <errno.h>
#include <stdlib.h>

enum {
	G_BYTES = 384,      /* all fields of gt_offsets in a g */
	STACK_BYTES = 1024, /* read of each parked stack at once */
	CHUNK = 512,        /* goroutines a turn */
	MAX_GOROUTINES = 1 << 26,
	MAX_THREADS = 1 << 20,
	MAX_PROCS = 1 << 16,
};

enum g_status {
	G_IDLE = 0,
	G_RUNNABLE = 1,
	G_RUNNING = 2,
	G_SYSCALL = 3,
	G_WAITING = 4,
	G_DEAD = 6,
	G_COPYSTACK = 8,
	G_PREEMPTED = 9,
	G_LEAKED = 10,
	G_DEADEXTRA = 11,
	G_SCAN = 0x1000,
};
enum { P_SYSCALL = 2 };

struct thread {
	uint64_t m, curg, p, oldp;
	uint32_t tid;
};

struct reader {
	const struct snapshot_source *src;
	const struct gt_offsets *off;
	uint8_t wait_blocks[256];
	VEC(struct thread) threads;
	struct map64 thread_of_m; /* m -> index + 1 */
	uint64_t *gs;
	uint64_t n_gs;
	uint64_t *ps;
	uint64_t n_ps;
	struct snapshot_counts counts;
};

static uint64_t field(const uint8_t *base, unsigned offset, unsigned size)
{
	uint64_t x = 0;

	memcpy(&x, base + offset, size);
	return x;
}

static uint64_t address(const struct reader *r, uint64_t vaddr)
{
	return vaddr + r->src->process->bias;
}

static void tick(const struct reader *r)
{
	if (r->src->tick)
		r->src->tick(r->src->ctx);
}

/* A slice of pointers: its elements, at most max. */
static int read_slice(struct reader *r, uint64_t vaddr, uint64_t max, uint64_t **ret, uint64_t *n)
{
	uint64_t slice[3];

	if (process_read(r->src->process, address(r, vaddr), slice, sizeof(slice)) != sizeof(slice))
		return -EFAULT;
	if (slice[1] > slice[2] || slice[1] > max)
		return -EBADMSG;
	uint64_t *v = xcalloc(slice[1] ? slice[1] : 1, sizeof(*v));
	ssize_t want = (ssize_t)(slice[1] * sizeof(*v));

	if (want && process_read(r->src->process, slice[0], v, (size_t)want) != want) {
		free(v);
		return -EFAULT;
	}
	*ret = v;
	*n = slice[1];
	return 0;
}

/* ------------------------------------------------------------------------------- threads and Ps */

static bool read_thread(struct reader *r, uint64_t m, struct thread *t, uint64_t *next)
{
	const struct gt_offsets *o = r->off;
	uint8_t b[512];

	if (o->m_alllink + 8u > sizeof(b) ||
	    process_read(r->src->process, m, b, o->m_alllink + 8u) != o->m_alllink + 8)
		return false;
	*t = (struct thread){
		.m = m,
		.curg = field(b, o->m_curg, 8),
		.p = field(b, o->m_p, 8),
		.oldp = field(b, o->m_oldp, 8),
		.tid = (uint32_t)field(b, o->m_procid, 8),
	};
	*next = field(b, o->m_alllink, 8);
	return true;
}

static int read_threads(struct reader *r)
{
	uint64_t m;

	if (!process_u64(r->src->process, address(r, r->src->plan->globals.allm), &m))
		return -EFAULT;
	while (m && r->threads.n < MAX_THREADS) {
		struct thread t;
		uint64_t next;

		if (!read_thread(r, m, &t, &next) || map64_get(&r->thread_of_m, m))
			break;
		*vec_push(&r->threads) = t;
		*map64_at(&r->thread_of_m, m) = r->threads.n;
		m = next;
	}
	r->counts.threads = (uint32_t)r->threads.n;
	return 0;
}

static uint32_t tid_of_m(const struct reader *r, uint64_t m)
{
	uint64_t *i = m ? map64_get(&r->thread_of_m, m) : NULL;

	return i ? r->threads.v[*i - 1].tid : 0;
}

/*
 * The thread that has this P. Up to Go 1.25 a thread in a syscall keeps its P in m.oldp only, and
 * the P says so (status _Psyscall); from 1.26 on m.p stays.
 */
static uint32_t tid_of_p(const struct reader *r, uint64_t p, uint32_t status)
{
	for (size_t i = 0; i < r->threads.n; i++) {
		const struct thread *t = &r->threads.v[i];

		if (t->p == p || (status == P_SYSCALL && !t->p && t->oldp == p))
			return t->tid;
	}
	return 0;
}

static int read_procs(struct reader *r, struct snapshot *s)
{
	s->p = xcalloc(r->n_ps ? r->n_ps : 1, sizeof(*s->p));
	for (uint64_t i = 0; i < r->n_ps; i++) {
		uint32_t id, status;

		if (!process_u32(r->src->process, r->ps[i] + r->off->p_id, &id) ||
		    !process_u32(r->src->process, r->ps[i] + r->off->p_status, &status))
			return -EFAULT;
		s->p[s->n_p++] = (struct snapshot_p){
			.id = (int32_t)id,
			.tid = tid_of_p(r, r->ps[i], status),
		};
	}
	return 0;
}

/* ------------------------------------------------------------------------------- goroutines */

/* A parked goroutine's stack, read in one piece from its top. */
struct parked {
	uint64_t pc, fp, sp, lo, hi;
	uint8_t bytes[STACK_BYTES];
	uint32_t got;
};

static bool frame_at(const struct reader *r, struct parked *k, uint64_t *next, uint64_t *ret)
{
	uint64_t words[2];

	if (k->fp < k->lo || k->fp + 16 > k->hi || k->fp & 7)
		return false;
	uint64_t at = k->fp - k->sp;

	if (k->fp >= k->sp && at + 16 <= k->got)
		memcpy(words, k->bytes + at, 16);
	else if (process_read(r->src->process, k->fp, words, 16) != 16)
		return false;
	*next = words[0];
	*ret = words[1];
	return true;
}

/*
 * The return addresses of a parked stack; how many. It is whole when it ends with the outermost frame, which saved a
 * frame pointer of 0: a goroutine that went on while its stack was read leaves stale frame pointers that lead elsewhere.
 */
static unsigned walk(const struct reader *r, struct parked *k, uint64_t pcs[STACK_MAX_RAW], bool *is_whole)
{
	uint64_t next, ret;
	unsigned n = 0;

	if (k->pc)
		pcs[n++] = k->pc;
	while (n < STACK_MAX_RAW && frame_at(r, k, &next, &ret) && ret) {
		pcs[n++] = ret;
		if (next && next <= k->fp)
			break;
		k->fp = next;
	}
	*is_whole = n == STACK_MAX_RAW || (n && !k->fp);
	return n;
}

static uint8_t state_of(const struct reader *r, uint32_t status, uint8_t wait_reason)
{
	switch (status & ~G_SCAN) {
	case G_RUNNABLE:
		return GO_RUNNABLE;
	case G_RUNNING:
		return GO_RUNNING;
	case G_SYSCALL:
		return GO_SYSCALL;
	case G_WAITING:
		return r->wait_blocks[wait_reason] == WAIT_BLOCK_RUNNING ? GO_RUNNING : GO_WAITING;
	case G_COPYSTACK:
		return GO_RUNNING;
	case G_PREEMPTED:
	case G_LEAKED:
		return GO_WAITING;
	}
	return GO_NOT_EXIST;
}

static struct parked parked_of(const struct reader *r, const uint8_t *g, uint8_t state)
{
	const struct gt_offsets *o = r->off;
	struct parked k = {
		.pc = field(g, o->g_sched_pc, 8),
		.fp = field(g, o->g_sched_bp, 8),
		.sp = field(g, o->g_sched_sp, 8),
		.lo = field(g, o->g_stack_lo, 8),
		.hi = field(g, o->g_stack_hi, 8),
	};

	/* A goroutine that has not run yet stands at its entry: no return address (runtime/proc.go:
	 * newproc1). */
	if (k.pc == field(g, o->g_startpc, 8))
		k.pc++;
	if (state == GO_SYSCALL) {
		k.pc = field(g, o->g_syscallpc, 8);
		k.sp = field(g, o->g_syscallsp, 8);
		k.fp = o->g_syscallbp ? field(g, o->g_syscallbp, 8) : 0;
	}
	return k;
}

static bool is_plausible(const struct reader *r, const uint8_t *g)
{
	uint64_t lo = field(g, r->off->g_stack_lo, 8), hi = field(g, r->off->g_stack_hi, 8);
	uint32_t status = (uint32_t)field(g, r->off->g_atomicstatus, 4) & ~G_SCAN;
	uint64_t goid = field(g, r->off->g_goid, 8), pc = field(g, r->off->g_sched_pc, 8);
	uint64_t sp = field(g, r->off->g_sched_sp, 8);

	if (!goid || goid >> 48 || status > G_DEADEXTRA || lo >= hi || hi - lo > 1ull << 40)
		return false;
	if (status == G_RUNNABLE || status == G_WAITING)
		return sp > lo && sp <= hi && pc >= r->src->text_lo && pc < r->src->text_hi;
	return true;
}

static bool is_dead(const struct reader *r, const uint8_t *g)
{
	uint32_t status = (uint32_t)field(g, r->off->g_atomicstatus, 4) & ~G_SCAN;

	return status == G_IDLE || status == G_DEAD || status == G_DEADEXTRA;
}

static struct snapshot_g describe(const struct reader *r, const uint8_t *g)
{
	const struct gt_offsets *o = r->off;
	uint8_t wait_reason = (uint8_t)field(g, o->g_waitreason, 1);
	struct snapshot_g s = {
		.goid = field(g, o->g_goid, 8),
		.start_pc = field(g, o->g_startpc, 8),
		.creator = o->g_parent_goid ? field(g, o->g_parent_goid, 8) : 0,
		.state = state_of(r, (uint32_t)field(g, o->g_atomicstatus, 4), wait_reason),
		.wait_reason = wait_reason,
	};

	if (s.state == GO_RUNNING || s.state == GO_SYSCALL)
		s.tid = tid_of_m(r, field(g, o->g_m, 8));
	if (s.state == GO_WAITING && r->wait_blocks[wait_reason] != WAIT_BLOCK_RUNNING)
		s.reason = r->wait_blocks[wait_reason];
	return s;
}

static struct process_piece top_of(struct parked *k)
{
	bool fits = k->sp >= k->lo && k->sp < k->hi;
	uint64_t len = fits ? min_u64(k->hi - k->sp, STACK_BYTES) : 0;

	return (struct process_piece){.addr = k->sp, .buf = k->bytes, .len = (uint32_t)len};
}

/* Once more, of a goroutine still in that state. */
static bool park_again(const struct reader *r, uint64_t gp, const struct snapshot_g *was, struct parked *k)
{
	uint8_t g[G_BYTES];

	if (process_read(r->src->process, gp, g, sizeof(g)) != sizeof(g) || is_dead(r, g))
		return false;
	struct snapshot_g now = describe(r, g);

	if (now.goid != was->goid || now.state != was->state)
		return false;
	*k = parked_of(r, g, now.state);
	struct process_piece piece = top_of(k);

	process_read_many(r->src->process, &piece, 1);
	k->got = piece.got;
	return true;
}

/*
 * A running goroutine's stack cannot be read, nor one that does not stay parked: what it was started with names it.
 * That of a syscall has no frame pointer to start from before Go 1.23.
 */
static uint32_t stack_of(const struct reader *r, uint64_t gp, const struct snapshot_g *s, struct parked *k)
{
	uint64_t pcs[STACK_MAX_RAW], start = s->start_pc + 1; /* as a return address into the start function */
	bool is_whole = false;
	unsigned n = 0;

	for (int tries = 0; s->state != GO_RUNNING && tries < 3; tries++) {
		bool has_frames = k->fp;

		n = walk(r, k, pcs, &is_whole);
		if (s->state == GO_SYSCALL && !has_frames) {
			is_whole = false;
			break;
		}
		/* a thread of C that came in has no start, and its callers are C */
		if (is_whole || !s->start_pc || !park_again(r, gp, s, k))
			break;
	}
	if (!is_whole && s->start_pc)
		return r->src->stack(r->src->ctx, &start, 1);
	return n ? r->src->stack(r->src->ctx, pcs, n) : 0;
}

/* One turn: the structures of n goroutines, then the top of each parked stack, in two rounds of
 * bulk reads. */
static void read_chunk(struct reader *r, const uint64_t *gs, size_t n, struct snapshot *out)
{
	static uint8_t g[CHUNK][G_BYTES];
	static struct parked parked[CHUNK];
	struct process_piece pieces[CHUNK];
	struct snapshot_g *described[CHUNK];
	uint64_t addresses[CHUNK];
	size_t n_parked = 0;

	for (size_t i = 0; i < n; i++)
		pieces[i] = (struct process_piece){ .addr = gs[i], .buf = g[i], .len = G_BYTES };
	process_read_many(r->src->process, pieces, n);
	for (size_t i = 0; i < n; i++) {
		if (pieces[i].got != G_BYTES) {
			r->counts.unread++;
			continue;
		}
		if (is_dead(r, g[i]))
			continue;
		struct snapshot_g *s = &out->g[out->n_g];

		*s = describe(r, g[i]);
		if (!s->goid || s->state == GO_NOT_EXIST)
			continue;
		out->n_g++;
		if (r->src->learn)
			r->src->learn(r->src->ctx, gs[i], s->goid);
		described[n_parked] = s;
		addresses[n_parked] = gs[i];
		parked[n_parked++] = parked_of(r, g[i], s->state);
	}
	if (!r->src->stack)
		return;
	for (size_t i = 0; i < n_parked; i++)
		pieces[i] = top_of(&parked[i]);
	process_read_many(r->src->process, pieces, n_parked);
	for (size_t i = 0; i < n_parked; i++) {
		struct snapshot_g *s = described[i];

		parked[i].got = pieces[i].got;
		s->stack = stack_of(r, addresses[i], s, &parked[i]);
		r->counts.no_stack += !s->stack;
	}
}

static void read_goroutines(struct reader *r, struct snapshot *s)
{
	s->g = xcalloc(r->n_gs ? r->n_gs : 1, sizeof(*s->g));
	for (uint64_t i = 0; i < r->n_gs; i += CHUNK) {
		read_chunk(r, r->gs + i, min_u64(CHUNK, r->n_gs - i), s);
		tick(r);
	}
	r->counts.goroutines = s->n_g;
}

/* ------------------------------------------------------------------------------- public */

/* The lists of goroutines, Ps and threads; not yet the wait reasons, which a proof does not need. */
static int reader_open(struct reader *r, const struct snapshot_source *src)
{
	const struct globals *g = &src->plan->globals;

	*r = (struct reader){ .src = src, .off = &src->plan->offsets };
	int err = read_slice(r, g->allp, MAX_PROCS, &r->ps, &r->n_ps);

	if (!err)
		err = read_slice(r, g->allgs, MAX_GOROUTINES, &r->gs, &r->n_gs);
	if (!err)
		err = read_threads(r);
	return err;
}

static void reader_close(struct reader *r)
{
	free(r->gs);
	free(r->ps);
	vec_free(&r->threads);
	map64_free(&r->thread_of_m);
}

static int prove_procs(const struct reader *r, struct why *why)
{
	for (uint64_t i = 0; i < r->n_ps; i++) {
		uint32_t id = ~0u, status = ~0u;

		process_u32(r->src->process, r->ps[i] + r->off->p_id, &id);
		process_u32(r->src->process, r->ps[i] + r->off->p_status, &status);
		if (id != i || status > 4)
			return why_set(why, -ENOTSUP,
				       "the runtime's structures are not where %s says: allp[%llu] "
				       "has id %d, "
				       "status %d. Nothing was recorded",
				       r->src->plan->offsets_from, (unsigned long long)i, (int)id,
				       (int)status);
	}
	return 0;
}

/* Every m that has a thread names one of the process, or one that is just coming or going. */
static int prove_threads(const struct reader *r, struct why *why)
{
	CLEANUP(freep) uint32_t *tids = NULL;
	size_t n = 0, known = 0, asked = 0;

	if (process_threads(r->src->process, &tids, &n))
		return why_set(why, -ESRCH, "the process has ended");
	for (size_t i = 0; i < r->threads.n; i++) {
		if (!r->threads.v[i].tid)
			continue;
		asked++;
		known += process_has_thread(tids, n, r->threads.v[i].tid);
	}
	/* In another pid namespace the runtime knows other thread ids than we see. */
	if (asked && !known)
		log_info("no thread id of the runtime is one of /proc/%d/task: another pid "
			 "namespace?",
			 r->src->process->pid);
	if (!asked)
		return why_set(why, -ENOTSUP,
			       "the runtime's structures are not where %s says: no thread "
			       "in allm has an id. Nothing was recorded",
			       r->src->plan->offsets_from);
	return 0;
}

static int prove_goroutines(struct reader *r, struct why *why)
{
	uint64_t asked = 0, bad = 0, step = r->n_gs / 1024 + 1;

	for (uint64_t i = 0; i < r->n_gs; i += step) {
		uint8_t g[G_BYTES];

		if (process_read(r->src->process, r->gs[i], g, sizeof(g)) != sizeof(g)) {
			asked++, bad++;
			continue;
		}
		if (is_dead(r, g))
			continue;
		asked++;
		bad += !is_plausible(r, g);
	}
	/* A goroutine can be caught while it changes; one in ten, or one alone, is no proof
	 * against. */
	if (bad > 2 && bad * 10 > asked)
		return why_set(why, -ENOTSUP,
			       "the runtime's structures are not where %s says: %llu of %llu "
			       "goroutines make "
			       "no sense. Nothing was recorded",
			       r->src->plan->offsets_from, (unsigned long long)bad,
			       (unsigned long long)asked);
	return 0;
}

int snapshot_prove(const struct snapshot_source *src, struct why *why)
{
	struct reader r;
	int err = reader_open(&r, src);

	if (err)
		err = why_set(why, -ENOTSUP,
			      "cannot read the runtime's lists of goroutines and Ps: %s",
			      strerror(-err));
	else if (!r.n_ps || !r.n_gs)
		err = why_set(why, -EAGAIN, "the Go runtime of the process has not started yet");
	if (!err)
		err = prove_procs(&r, why);
	if (!err)
		err = prove_threads(&r, why);
	if (!err)
		err = prove_goroutines(&r, why);
	reader_close(&r);
	return err;
}

int snapshot_take(const struct snapshot_source *src, struct snapshot *ret,
		  struct snapshot_counts *counts, struct why *why)
{
	const struct globals *g = &src->plan->globals;
	struct snapshot s = { .begin_ns = now_ns() };
	struct reader r;
	uint32_t phase;
	int err = reader_open(&r, src);

	if (!err) {
		wait_reasons_read(src->process, address(&r, g->wait_reasons), g->n_wait_reasons,
				  r.wait_blocks);
		read_goroutines(&r, &s);
		err = read_procs(&r, &s);
	}
	if (g->gcphase && process_u32(src->process, address(&r, g->gcphase), &phase))
		s.gc_running = phase == 1; /* runtime/mgc.go: _GCmark */
	s.end_ns = now_ns();
	if (counts)
		*counts = r.counts;
	reader_close(&r);
	if (err) {
		snapshot_free(&s);
		return why_set(why, err, "cannot read the goroutines of the process: %s",
			       strerror(-err));
	}
	*ret = s;
	return 0;
}

void snapshot_free(struct snapshot *s)
{
	free(s->g);
	free(s->p);
	s->g = NULL;
	s->p = NULL;
}
