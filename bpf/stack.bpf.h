/* SPDX-License-Identifier: GPL-2.0 */
/*
 * stack.bpf.h - walks up the frame pointers of a goroutine's stack, in as few reads as can be, and
 * names what it found by a hash. Go keeps frame pointers on amd64 in all versions; what is read is
 * never trusted further than to the next read.
 */
#ifndef GOTRACE_STACK_BPF_H
#define GOTRACE_STACK_BPF_H

#include "state.bpf.h"

static __always_inline struct walk *walk_begin(struct scratch *s, __u64 fp, __u64 anchor)
{
	s->walk = (struct walk){
		.fp = fp,
		.lo = G(s, g_stack_lo, __u64),
		.hi = G(s, g_stack_hi, __u64),
		.anchor = anchor,
	};
	return &s->walk;
}

/* One multiplication a frame, none of which waits for the one before. */
static __always_inline __u64 hash_add(__u64 hash, __u64 pc)
{
	return (hash << 9 | hash >> 55) ^ pc * 0x9e3779b97f4a7c15ull;
}

static __always_inline __u64 hash_end(__u64 hash)
{
	hash ^= hash >> 29;
	hash *= 0xbf58476d1ce4e5b9ull;
	return hash ^ hash >> 32;
}

static __always_inline void walk_add(struct scratch *s, __u64 pc)
{
	struct walk *w = &s->walk;
	__u32 n = w->n;

	if (n >= GT_MAX_FRAMES)
		return;
	s->pcs[n] = pc;
	w->hash = hash_add(w->hash, pc);
	w->n = n + 1;
}

/* One frame up. False at the end: a zero frame pointer (the goroutine's first frame), outside of
 * the stack (a cgo callback's C frames), or frames that do not ascend. */
static __always_inline bool walk_step(struct scratch *s, bool sleepable)
{
	struct walk *w = &s->walk;
	__u64 fp = w->fp, at = fp - w->base;

	if (fp < w->lo || fp + 16 > w->hi || fp & 7)
		return false;
	/* Frames are read in blocks: most stacks need one or two reads whatever their depth. */
	if (at + 16 > w->len) {
		__u64 len = w->hi - fp;

		if (len > STACK_BLOCK)
			len = STACK_BLOCK;
		/* without bounds a block may reach beyond the memory of the stack */
		if (read_user(s->block, len, fp, sleepable) &&
		    read_user(s->block, len = 16, fp, sleepable)) {
			w->flags |= STACK_TRUNCATED;
			return false;
		}
		w->base = fp;
		w->len = len;
		at = 0;
	}
	if (at > STACK_BLOCK - 16) /* impossible; the verifier wants to see it */
		return false;
	__u64 next = *(__u64 *)(s->block + at);
	__u64 ret = *(__u64 *)(s->block + at + 8);

	if (!ret)
		return false;
	if (w->anchor && ret == w->anchor)
		w->n = 0, w->hash = 0, w->anchor = 0;
	walk_add(s, ret);
	w->fp = next;
	return next > fp;
}

/* As far as the runtime's own tracer would go: max_frames and the goexit behind them. */
static __always_inline long walk_on(struct scratch *s, bool sleepable)
{
	if (s->walk.n > max_frames) {
		s->walk.n = max_frames;
		s->walk.flags |= STACK_TRUNCATED;
		return 1;
	}
	return !walk_step(s, sleepable);
}

static long walk_one(__u64 i, struct scratch **s)
{
	return walk_on(*s, true);
}

static long walk_one_atomic(__u64 i, struct scratch **s)
{
	return walk_on(*s, false);
}

/* Global functions and bpf_loop: the verifier looks at one step once, not at each of many for every
 * way to it. */
__noinline int walk_up(struct scratch *s)
{
	if (s)
		bpf_loop(GT_MAX_FRAMES, walk_one, &s, 0);
	return 0;
}

__noinline int walk_up_atomic(struct scratch *s)
{
	if (s)
		bpf_loop(GT_MAX_FRAMES, walk_one_atomic, &s, 0);
	return 0;
}

/* Sends the n frames in s->pcs. A global function, as walk_up. */
__noinline __u64 send_stack(struct scratch *s, __u32 n, __u64 hash, __u32 flags)
{
	if (!s)
		return 0;
	if (n > GT_MAX_FRAMES) /* impossible; the verifier wants to see it */
		n = GT_MAX_FRAMES;
	fill_head(&s->stack.head, GT_K_STACK, 0, 0);
	s->stack.head.ts_ns = bpf_ktime_get_ns();
	s->stack.hash = hash;
	s->stack.n = n;
	s->stack.flags = flags;
	if (!emit(&s->stack, sizeof(s->stack) + n * 8, s->stack.head.ts_ns))
		return 0;
	sent[hash & (SENT_SLOTS - 1)] = hash;
	return hash;
}

/* The hash that names the stack in s->pcs, which is sent unless it was before; 0: there is none. */
static __always_inline __u64 emit_stack(struct scratch *s, __u32 n, __u64 hash, __u32 flags)
{
	hash = hash_end(hash) ^ (__u64)flags << 56;
	if (!n)
		return 0;
	if (!hash)
		hash = 1;
	return sent[hash & (SENT_SLOTS - 1)] == hash ? hash : send_stack(s, n, hash, flags);
}

static __always_inline __u64 walk_emit(struct scratch *s)
{
	return emit_stack(s, s->walk.n, s->walk.hash, s->walk.flags);
}

/* The stack of the goroutine in s->g, which left its stack through gp.sched (mcall, systemstack).
 */
static __noinline __u64 stack_of_sched(struct scratch *s, __u64 pc_offset)
{
	if (!s || !want_stacks)
		return 0;
	walk_begin(s, G(s, g_sched_bp, __u64), 0);
	walk_add(s, G(s, g_sched_pc, __u64) + pc_offset);
	/* runtime/tracestack.go: at a stack check the caller's return address is on top of the
	 * stack (Go 1.25+) */
	if (off.g_sync_safe_point && G(s, g_sync_safe_point, __u8))
		walk_add(s, read_u64(G(s, g_sched_sp, __u64)));
	walk_up(s);
	return walk_emit(s);
}

/* The stack of the goroutine in s->g from a known pc and frame pointer. */
static __noinline __u64 stack_from(struct scratch *s, __u64 pc, __u64 fp, __u64 anchor)
{
	if (!s || !want_stacks)
		return 0;
	walk_begin(s, fp, anchor);
	if (pc)
		walk_add(s, pc);
	walk_up(s);
	return walk_emit(s);
}

/*
 * The hot walk: what most stacks need and nothing else. n frames are in s->pcs already, the block
 * holds the stack from base on; up to HOT_FRAMES more are taken from it without touching s->walk. A
 * stack that goes on is left to walk_up. Without g there are no bounds; a Go stack ends by itself
 * (walk_step).
 */
static __always_inline __u64 walk_hot(struct scratch *s, __u64 base, __u64 fp, const __u32 n,
				      __u64 hash)
{
	bool is_whole = false;
	int i;

	for (i = 0; i < HOT_FRAMES && !is_whole; i++) {
		__u64 at = fp - base;

		if (at > HOT_BLOCK - 16)
			break;
		__u64 next = *(__u64 *)(s->block + at);
		__u64 ret = *(__u64 *)(s->block + at + 8);

		s->pcs[n + i] = ret;
		hash = hash_add(hash, ret);
		is_whole = next <= fp;
		fp = next;
	}
	if (is_whole)
		return emit_stack(s, n + i, hash, 0);
	s->walk = (struct walk){ .fp = fp,
				 .lo = base,
				 .hi = base + FAR,
				 .base = base,
				 .len = HOT_BLOCK,
				 .hash = hash,
				 .n = n + i };
	walk_up(s);
	return walk_emit(s);
}

/* When the block reaches beyond the memory of the stack, or its page is not there. */
static __noinline __u64 walk_cold(struct scratch *s, __u64 leaf, __u64 sp, __u64 fp)
{
	s->walk = (struct walk){ .fp = fp, .lo = sp, .hi = sp + FAR };
	walk_add(s, leaf);
	if (sp != fp)
		walk_add(s, read_u64(sp));
	walk_up(s);
	return walk_emit(s);
}

/*
 * The stack of the goroutine whose own stack the probe is on, at the entry of a function: its
 * return address, then the frames of the caller.
 */
static __always_inline __u64 stack_of_caller(struct scratch *s, __u64 leaf, __u64 sp, __u64 fp)
{
	if (bpf_probe_read_user(s->block, HOT_BLOCK, (void *)sp))
		return walk_cold(s, leaf, sp, fp);
	__u64 ret = *(__u64 *)s->block;

	s->pcs[0] = leaf;
	s->pcs[1] = ret;
	return walk_hot(s, sp, fp, 2, hash_add(hash_add(0, leaf), ret));
}

/* The stack whose leaf is known and whose next frame is at fp. */
static __always_inline __u64 stack_above(struct scratch *s, __u64 leaf, __u64 fp)
{
	if (bpf_probe_read_user(s->block, HOT_BLOCK, (void *)fp))
		return walk_cold(s, leaf, fp, fp);
	s->pcs[0] = leaf;
	return walk_hot(s, fp, fp, 1, hash_add(0, leaf));
}

#endif
