/* SPDX-License-Identifier: Apache-2.0 */
/* goroutines.c - see goroutines.h. */
#include "analyze/goroutines.h"
#include "analyze/transition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char *const profile_names[PROFILE_KINDS] = { "net", "sync", "syscall", "sched" };

enum { FEW_REASONS = 3, NO_PROFILE = PROFILE_KINDS, PROCS_MAX = 1 << 16, STW_NAME_MAX = 1100 };

/* Time in a range of a goroutine, and of the one that is open. */
struct range_time {
	uint32_t name;
	uint64_t ns, since_ns; /* since 0: not open */
};

/* A sample that counts only if its goroutine turns out to be the wanted one, or never to run. */
struct held_sample {
	uint8_t kind;
	bool if_never_runs;
	uint32_t stack;
	uint64_t count, ns;
};

/* What few goroutines have. */
struct rare {
	VEC(struct named_ns) reasons; /* beyond FEW_REASONS */
	VEC(struct range_time) ranges;
	VEC(struct held_sample) held;
};

struct live { /* a goroutine that has not ended */
	/* what every transition touches first */
	uint64_t id;
	uint64_t since_ns;             /* when it came into its state */
	uint64_t started_ns, ended_ns; /* ended: blocked for ever */
	uint32_t entry_stack;          /* of the event that brought it into its state */
	uint32_t reason;               /* of a blocked one */
	uint32_t group;
	uint8_t state;     /* enum go_state */
	uint8_t profile;   /* that its state belongs to, NO_PROFILE */
	bool is_old;       /* older than the trace */
	bool is_preempted; /* became runnable by that */
	bool is_callback;  /* may be a C thread's, whose samples are held: see die */
	uint32_t n_reasons;
	uint64_t execution, sched_wait;
	uint64_t gc_clock, busy_clock; /* when it became runnable */
	struct named_ns reasons[FEW_REASONS];
	int64_t syscall_p;  /* in a system call: the P it had at its begin */
	uint64_t lost_p_ns; /* in a system call: when its P was taken away; 0 not */
	uint64_t syscall, syscall_block;
	uint64_t created_ns;
	uint32_t creation_stack;
	struct rare *rare; /* NULL: nothing of it */
};

struct proc_state {
	bool is_known, is_running;
	uint64_t syscalling;   /* index + 1 in slots of the goroutine in a system call with it; see
				  leave_syscall */
	uint64_t syscalling_g; /* its id: the slot may be another's by now */
};

struct goroutines_state {
	struct map64 live; /* goid -> index + 1 in slots */
	VEC(struct live) slots;
	VEC(uint32_t) free_slots;
	struct map64 group_index, name_index; /* hash -> number + 1 */
	VEC(uint32_t) stack_groups;           /* by stack number: group + 1 */
	struct {
		const char *s;
		uint32_t n, number;
	} recent_names[64];           /* by address: spares most lookups */
	VEC(uint8_t) reason_profiles; /* by name number: enum profile_kind of blocking for it */
	VEC(struct made {
		uint64_t created;
		uint64_t ended;
	})
	made; /* by creation stack */
	VEC(struct proc_state) procs;
	uint64_t running_procs;
	uint64_t busy_ns, busy_since_ns; /* all Ps had something to do; since 0: not now */
	struct map64 seen_threads;
	uint64_t recent_threads[64];
	uint64_t alive;           /* of live: those that have not ended */
	uint64_t sync_ns;         /* of the last sync, or the first event */
	struct map64 proc_ranges; /* P -> goroutine that began a sweep on it, + 1 */
	uint32_t sweep_name, assist_name;
	uint32_t callback_group; /* of goroutines that C threads brought along */
};

bool is_system_goroutine(const char *name)
{
	return !*name || (!strncmp(name, "runtime.", 8) && strcmp(name, "runtime.main"));
}

const char *go_state_name(const struct go_row *row)
{
	static const char *const names[] = { "ended", "runnable", "running", "syscall", "waiting" };

	return row->ended_ns ? "ended" : names[row->state % ARRAY_SIZE(names)];
}

/* ------------------------------------------------------------------------------- names and groups
 */

static uint8_t profile_of_reason(const char *s)
{
	if (!strcmp(s, "network"))
		return PROFILE_NET;
	if (strstr(s, "chan") || strstr(s, "sync") || strstr(s, "select"))
		return PROFILE_SYNC;
	return NO_PROFILE;
}

static uint32_t name_number(struct goroutines *g, const char *s, uint32_t n)
{
	uint64_t *i = map64_at(&g->state->name_index, hash_bytes(s, n, 3));

	if (!*i) {
		char *copy = xmemdup0(s, n);

		*vec_push(&g->names) = copy;
		*vec_push(&g->state->reason_profiles) = profile_of_reason(copy);
		*i = g->names.n;
	}
	return (uint32_t)*i - 1;
}

static uint32_t name_of(struct goroutines *g, const char *s, uint32_t n)
{
	if (!n)
		return 0;
	size_t slot = ((uintptr_t)s >> 3) % ARRAY_SIZE(g->state->recent_names);

	if (g->state->recent_names[slot].s != s || g->state->recent_names[slot].n != n) {
		g->state->recent_names[slot].number = name_number(g, s, n);
		g->state->recent_names[slot].s = s;
		g->state->recent_names[slot].n = n;
	}
	return g->state->recent_names[slot].number;
}

static uint32_t group_named(struct goroutines *g, const char *name)
{
	uint64_t *i = map64_at(&g->state->group_index, hash_bytes(name, strlen(name), 4));

	if (!*i) {
		*vec_push(&g->groups) = (struct go_group){ .name = name };
		*i = g->groups.n;
	}
	return (uint32_t)*i - 1;
}

/* The group of goroutines whose own stack this is: by its outermost function. */
static uint32_t group_of_stack(struct goroutines *g, uint32_t stack)
{
	struct goroutines_state *s = g->state;

	if (stack < s->stack_groups.n && s->stack_groups.v[stack])
		return s->stack_groups.v[stack] - 1;
	unsigned n;
	const struct frame *f = g->options.stacks.frames(g->options.stacks.self, stack, &n);
	uint32_t group = n ? group_named(g, f[n - 1].func) : 0;

	while (s->stack_groups.n <= stack)
		*vec_push(&s->stack_groups) = 0;
	s->stack_groups.v[stack] = group + 1;
	return group;
}

/* ------------------------------------------------------------------------------- live goroutines
 */

static struct live *live_get(struct goroutines *g, uint64_t id)
{
	uint64_t *i = map64_get(&g->state->live, id);

	return i ? &g->state->slots.v[*i - 1] : NULL;
}

static struct live *live_new(struct goroutines *g, uint64_t id)
{
	struct goroutines_state *s = g->state;
	uint32_t i = s->free_slots.n ? s->free_slots.v[--s->free_slots.n] : (uint32_t)s->slots.n;

	if (i == s->slots.n)
		vec_push(&s->slots);
	*map64_at(&s->live, id) = i + 1;
	s->slots.v[i] = (struct live){ .id = id, .profile = NO_PROFILE };
	g->seen++;
	return &s->slots.v[i];
}

static struct rare *rare_of(struct live *l)
{
	if (!l->rare)
		l->rare = xcalloc(1, sizeof(*l->rare));
	return l->rare;
}

static void rare_free(struct rare *r)
{
	if (!r)
		return;
	vec_free(&r->reasons);
	vec_free(&r->ranges);
	vec_free(&r->held);
	free(r);
}

/* Adds to the one of n with that name; false: there is none. */
static bool add_to_known(struct named_ns *v, size_t n, uint32_t name, uint64_t ns)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].name == name) {
			v[i].ns += ns;
			return true;
		}
	return false;
}

static void add_blocked(struct live *l, uint32_t reason, uint64_t ns)
{
	if (add_to_known(l->reasons, l->n_reasons, reason, ns))
		return;
	if (l->n_reasons < FEW_REASONS) {
		l->reasons[l->n_reasons++] = (struct named_ns){ reason, ns };
		return;
	}
	struct rare *r = rare_of(l);

	if (!add_to_known(r->reasons.v, r->reasons.n, reason, ns))
		*vec_push(&r->reasons) = (struct named_ns){ reason, ns };
}

static void add_reason(struct go_times *t, uint32_t name, uint64_t ns)
{
	if (!add_to_known(t->by_reason.v, t->by_reason.n, name, ns))
		*vec_push(&t->by_reason) = (struct named_ns){ name, ns };
}

static void add_range(struct go_times *t, uint32_t name, uint64_t ns)
{
	if (!add_to_known(t->by_range.v, t->by_range.n, name, ns))
		*vec_push(&t->by_range) = (struct named_ns){ name, ns };
}

/* Adds the goroutine's columns to t. */
static void add_times(struct go_times *t, const struct live *l, uint64_t total)
{
	uint64_t known = l->execution + l->sched_wait + l->syscall + l->syscall_block, blocked = 0;

	for (uint32_t i = 0; i < l->n_reasons; i++) {
		add_reason(t, l->reasons[i].name, l->reasons[i].ns);
		blocked += l->reasons[i].ns;
	}
	for (size_t i = 0; l->rare && i < l->rare->reasons.n; i++) {
		add_reason(t, l->rare->reasons.v[i].name, l->rare->reasons.v[i].ns);
		blocked += l->rare->reasons.v[i].ns;
	}
	for (size_t i = 0; l->rare && i < l->rare->ranges.n; i++)
		if (l->rare->ranges.v[i].ns)
			add_range(t, l->rare->ranges.v[i].name, l->rare->ranges.v[i].ns);
	t->execution += l->execution;
	t->sched_wait += l->sched_wait;
	t->syscall += l->syscall;
	t->syscall_block += l->syscall_block;
	t->blocked += blocked;
	t->total += total;
	t->unknown += total > known + blocked ? total - known - blocked : 0;
}

/* ------------------------------------------------------------------------------- profiles */

static bool is_nothing(struct goroutines *g, uint32_t stack)
{
	unsigned n;
	const struct frame *f = g->options.stacks.frames(g->options.stacks.self, stack, &n);

	while (n && !f[n - 1].pc)
		n--;
	return !n;
}

/* The first sample of a stack. */
static void __attribute__((noinline))
profile_begin(struct goroutines *g, struct profile *p, uint32_t stack, uint64_t count, uint64_t ns)
{
	while (p->samples.n <= stack)
		*vec_push(&p->samples) = (struct profile_sample){ 0 };
	size_t place = is_nothing(g, stack) ? 0 : stack;

	if (!place)
		p->nothing = stack;
	p->samples.v[place].count += count;
	p->samples.v[place].ns += ns;
}

static inline void profile_add(struct goroutines *g, uint8_t kind, uint32_t stack, uint64_t count,
			       uint64_t ns)
{
	struct profile *p = &g->profiles[kind];

	if (!stack || stack >= p->samples.n || !p->samples.v[stack].count) {
		profile_begin(g, p, stack, count, ns);
		return;
	}
	p->samples.v[stack].count += count;
	p->samples.v[stack].ns += ns;
}

static bool is_wanted(const struct goroutines *g, uint32_t group)
{
	return !g->options.function || !strcmp(g->groups.v[group].name, g->options.function);
}

static void hold_sample(struct live *l, uint8_t kind, bool if_never_runs, uint32_t stack,
			uint64_t ns)
{
	struct rare *r = rare_of(l);

	for (size_t i = 0; i < r->held.n; i++) {
		struct held_sample *h = &r->held.v[i];

		if (h->kind == kind && h->stack == stack && h->if_never_runs == if_never_runs) {
			h->count++;
			h->ns += ns;
			return;
		}
	}
	*vec_push(&r->held) = (struct held_sample){ kind, if_never_runs, stack, 1, ns };
}

/* The period in a state that a profile shows is over. Time before a goroutine's first run does not
 * count, but that of one that never runs does: known when it has ended. */
static void end_profiled(struct goroutines *g, struct live *l, uint64_t now, bool runs)
{
	uint64_t ns = now - l->since_ns;

	if (g->options.overlap)
		ns = g->options.overlap(g->options.overlap_self, l->id, l->since_ns, now);
	else if (!l->started_ns && runs)
		return;
	if (!ns || ns < g->options.threshold_ns)
		return;
	bool if_never_runs = !l->started_ns && !g->options.overlap;
	bool may_come_back = l->is_callback || (l->is_old && !l->group);

	if (if_never_runs || may_come_back || (g->options.function && !l->group))
		hold_sample(l, l->profile, if_never_runs, l->entry_stack, ns);
	else if (is_wanted(g, l->group))
		profile_add(g, l->profile, l->entry_stack, 1, ns);
}

static void settle_held(struct goroutines *g, const struct live *l)
{
	for (size_t i = 0; l->rare && i < l->rare->held.n; i++) {
		const struct held_sample *h = &l->rare->held.v[i];

		if ((!h->if_never_runs || !l->started_ns) && is_wanted(g, l->group))
			profile_add(g, h->kind, h->stack, h->count, h->ns);
	}
}

/* ------------------------------------------------------------------------------- waits for a P */

/* How long, until now, all Ps had something to do. */
static uint64_t busy_clock(const struct goroutines_state *s, uint64_t now)
{
	return s->busy_ns + (s->busy_since_ns ? now - s->busy_since_ns : 0);
}

static void keep_worst(struct goroutines *g, struct go_wait w)
{
	size_t i = g->worst.n;

	if (i == g->options.worst && (!i || w.ns <= g->worst.v[i - 1].ns))
		return;
	if (i < g->options.worst)
		vec_push(&g->worst);
	else
		i--;
	for (; i > 0 && g->worst.v[i - 1].ns < w.ns; i--)
		g->worst.v[i] = g->worst.v[i - 1];
	g->worst.v[i] = w;
}

static void begin_wait(struct goroutines *g, struct live *l, uint64_t now,
		       const struct transition *t)
{
	l->gc_clock = g->options.gc ? gc_busy_ns(g->options.gc, now) : 0;
	l->busy_clock = busy_clock(g->state, now);
	l->is_preempted = t->from == GO_RUNNING && str_is(*t->reason, "preempted");
}

/* Of several causes at once the garbage collector counts first, then the Ps. */
static void end_wait(struct goroutines *g, struct live *l, uint64_t now)
{
	uint64_t ns = now - l->since_ns;

	if (!is_wanted(g, l->group))
		return;
	if (ns >= g->options.threshold_ns) {
		latency_add(&g->waits, ns);
		keep_worst(g, (struct go_wait){ l->since_ns, ns, l->id, l->group });
	}
	if (l->is_preempted) {
		g->causes.preempted += ns;
		return;
	}
	uint64_t gc = g->options.gc ? min_u64(gc_busy_ns(g->options.gc, now) - l->gc_clock, ns) : 0;
	uint64_t busy = min_u64(busy_clock(g->state, now) - l->busy_clock, ns - gc);

	g->causes.gc += gc;
	g->causes.busy += busy;
	g->causes.wakeup += ns - gc - busy;
}

/* ------------------------------------------------------------------------------- system calls */

static struct proc_state *proc_at(struct goroutines_state *s, uint64_t id)
{
	if (id >= PROCS_MAX)
		return NULL;
	while (s->procs.n <= id)
		*vec_push(&s->procs) = (struct proc_state){ 0 };
	return &s->procs.v[id];
}

static void enter_syscall(struct goroutines *g, struct live *l, int64_t p)
{
	struct proc_state *ps = p >= 0 ? proc_at(g->state, (uint64_t)p) : NULL;

	if (ps) {
		ps->syscalling = (uint64_t)(l - g->state->slots.v) + 1;
		ps->syscalling_g = l->id;
	}
	l->lost_p_ns = 0;
	l->syscall_p = p;
}

static void leave_syscall(struct goroutines *g, struct live *l, uint64_t now)
{
	struct proc_state *ps =
		l->syscall_p >= 0 ? proc_at(g->state, (uint64_t)l->syscall_p) : NULL;

	if (l->lost_p_ns) {
		l->syscall_block += now - l->lost_p_ns;
		l->syscall += l->lost_p_ns - l->since_ns;
	} else {
		l->syscall += now - l->since_ns;
	}
	l->lost_p_ns = 0;
	/* as Go's summary does, even if the P has meanwhile gone into a system call with another
	 * goroutine */
	if (ps)
		ps->syscalling = 0;
}

/* ------------------------------------------------------------------------------- Ps */

static void set_running(struct goroutines *g, uint64_t id, bool is_running, uint64_t now)
{
	struct goroutines_state *s = g->state;
	struct proc_state *p = proc_at(s, id);

	if (!p)
		return;
	p->is_known = true;
	s->running_procs += (uint64_t)is_running - (uint64_t)p->is_running;
	p->is_running = is_running;
	bool is_busy = s->running_procs >= max_u64(g->gomaxprocs, 1);

	if (is_busy && !s->busy_since_ns)
		s->busy_since_ns = now;
	if (is_busy || !s->busy_since_ns)
		return;
	s->busy_ns += now - s->busy_since_ns;
	s->busy_since_ns = 0;
}

/* A P goes idle: a goroutine in a system call with it has lost it. */
static void proc_idles(struct goroutines *g, uint64_t id, uint64_t now)
{
	struct proc_state *p = proc_at(g->state, id);

	set_running(g, id, false, now);
	if (!p || !p->syscalling)
		return;
	struct live *l = &g->state->slots.v[p->syscalling - 1];

	if (l->id == p->syscalling_g)
		l->lost_p_ns = now;
	p->syscalling = 0;
}

/* ------------------------------------------------------------------------------- transitions */

static void fold(struct goroutines *g, struct live *l, uint64_t total)
{
	struct go_group *group = &g->groups.v[l->group];
	char id[24];

	add_times(&group->times, l, total);
	group->count++;
	group->created += !l->is_old;
	settle_held(g, l);
	if (!g->options.rows)
		return;
	snprintf(id, sizeof(id), "%" PRIu64, l->id);
	if (g->options.rows_of && strcmp(g->options.rows_of, group->name) &&
	    strcmp(g->options.rows_of, id))
		return;
	struct go_row row = { l->id,
			      l->group,
			      l->created_ns,
			      l->started_ns,
			      l->ended_ns,
			      l->state,
			      l->state == GO_WAITING ? l->reason : 0,
			      l->creation_stack,
			      { 0 } };

	add_times(&row.times, l, total);
	*vec_push(&g->rows) = row;
}

static void close_ranges(struct live *l, uint64_t now)
{
	for (size_t i = 0; l->rare && i < l->rare->ranges.n; i++) {
		struct range_time *r = &l->rare->ranges.v[i];

		if (r->since_ns)
			r->ns += now - r->since_ns;
		r->since_ns = 0;
	}
}

/* Ended, or blocked for ever, which counts as that. */
static void end(struct live *l, uint64_t now)
{
	l->ended_ns = now;
	close_ranges(l, now);
}

static void remove_live(struct goroutines *g, struct live *l)
{
	struct goroutines_state *s = g->state;

	rare_free(l->rare);
	map64_del(&s->live, l->id);
	l->rare = NULL;
	l->id = UINT64_MAX;
	*vec_push(&s->free_slots) = (uint32_t)(l - s->slots.v);
}

/* A C thread's goroutine comes back under its id, again and again; only the last time counts then,
 * as in Go's summary. */
static void die(struct goroutines *g, struct live *l, uint64_t now, bool in_syscall)
{
	end(l, now);
	g->ended++;
	g->state->alive--;
	if (l->creation_stack && l->creation_stack < g->state->made.n)
		g->state->made.v[l->creation_stack].ended++;
	if (in_syscall)
		return; /* a C thread's: rests until it comes back, or the trace ends */
	fold(g, l, now - l->created_ns);
	remove_live(g, l);
}

/* First seen: made, or told to be there since the last sync, which counts as time in that state. */
static struct live *appear(struct goroutines *g, const struct event *ev, const struct transition *t)
{
	struct live *l = live_new(g, t->g);
	uint64_t before = t->ts_ns - g->state->sync_ns;

	if (++g->state->alive > g->peak) {
		g->peak = g->state->alive;
		g->peak_at_ns = t->ts_ns;
	}
	l->is_callback = t->to == GO_SYSCALL;
	if (!t->is_status) {
		l->created_ns = t->ts_ns;
		l->creation_stack = t->event_stack;
		g->created++;
		while (g->state->made.n <= l->creation_stack)
			*vec_push(&g->state->made) = (struct made){ 0 };
		g->state->made.v[l->creation_stack].created++;
		return l;
	}
	l->is_old = true;
	l->created_ns = g->state->sync_ns;
	if (t->to == GO_RUNNING)
		l->execution += before;
	else if (t->to == GO_RUNNABLE)
		l->sched_wait += before;
	else if (t->to == GO_WAITING)
		add_blocked(l, 0, before);
	else if (t->to == GO_SYSCALL && ev->p == EVENT_NO_P)
		l->syscall_block += before;
	else if (t->to == GO_SYSCALL)
		l->syscall += before;
	return l;
}

static void leave_state(struct goroutines *g, struct live *l, const struct event *ev,
			const struct transition *t)
{
	bool is_switch = ev->type == EV_GO_SWITCH || ev->type == EV_GO_SWITCH_DESTROY;

	uint64_t ns = t->ts_ns - l->since_ns;

	if (l->profile != NO_PROFILE)
		end_profiled(g, l, t->ts_ns, t->to == GO_RUNNING);
	l->profile = NO_PROFILE;
	switch ((enum go_state)l->state) {
	case GO_RUNNING:
		l->execution += ns;
		break;
	case GO_RUNNABLE:
		l->sched_wait += ns;
		if (t->to == GO_RUNNING &&
		    !is_switch) /* a coroutine waits for no P, though it is runnable for 1 ns */
			end_wait(g, l, t->ts_ns);
		break;
	case GO_WAITING:
		if (!l->ended_ns)
			add_blocked(l, l->reason, ns);
		break;
	case GO_SYSCALL:
		leave_syscall(g, l, t->ts_ns);
		break;
	case GO_NOT_EXIST:
		break;
	}
}

static void enter_state(struct goroutines *g, struct live *l, const struct event *ev,
			const struct transition *t)
{
	l->state = t->to;
	l->since_ns = t->ts_ns;
	l->entry_stack = t->event_stack;
	switch ((enum go_state)t->to) {
	case GO_RUNNING:
		if (!l->started_ns)
			l->started_ns = t->ts_ns;
		break;
	case GO_RUNNABLE:
		l->profile = PROFILE_SCHED;
		begin_wait(g, l, t->ts_ns, t);
		break;
	case GO_WAITING:
		l->reason = name_of(g, t->reason->s, t->reason->n);
		l->profile = g->state->reason_profiles.v[l->reason];
		if (str_is(*t->reason, "forever"))
			end(l, t->ts_ns);
		break;
	case GO_SYSCALL:
		l->profile = PROFILE_SYSCALL;
		enter_syscall(g, l, ev->p);
		break;
	case GO_NOT_EXIST:
		die(g, l, t->ts_ns, t->from == GO_SYSCALL);
		break;
	}
}

static void move(struct goroutines *g, const struct event *ev, const struct transition *t)
{
	struct live *l = live_get(g, t->g);
	bool is_new = t->is_status || t->from == GO_NOT_EXIST;

	if (t->is_status && (l || t->to == GO_NOT_EXIST))
		return; /* says nothing new, or nothing */
	if (!l && !is_new)
		return; /* a recording's observer may see this after a loss; a reader never */
	if (l && is_new)
		remove_live(g, l);
	if (is_new)
		l = appear(g, ev, t);
	else
		leave_state(g, l, ev, t);
	if (!l->group && t->stack) {
		l->group = group_of_stack(g, t->stack);
		l->is_callback = l->is_callback || l->group == g->state->callback_group;
	}
	enter_state(g, l, ev, t);
}

/* ------------------------------------------------------------------------------- ranges */

static void range_begin(struct goroutines *g, uint64_t id, uint32_t name, uint64_t now,
			bool is_active)
{
	struct live *l = live_get(g, id);
	struct range_time *r = NULL;

	if (!l)
		return;
	struct rare *rare = rare_of(l);

	for (size_t i = 0; i < rare->ranges.n && !r; i++)
		if (rare->ranges.v[i].name == name)
			r = &rare->ranges.v[i];
	if (!r) {
		r = vec_push(&rare->ranges);
		*r = (struct range_time){ .name = name };
	}
	if (is_active && r->since_ns)
		r->ns += g->state->sync_ns - r->since_ns;
	r->since_ns = is_active ? g->state->sync_ns : now;
}

static void range_end(struct goroutines *g, uint64_t id, uint32_t name, uint64_t now)
{
	struct live *l = live_get(g, id);

	for (size_t i = 0; l && l->rare && i < l->rare->ranges.n; i++) {
		struct range_time *r = &l->rare->ranges.v[i];

		if (r->name != name || !r->since_ns)
			continue;
		r->ns += now - r->since_ns;
		r->since_ns = 0;
	}
}

static uint32_t stw_name(struct goroutines *g, struct str kind)
{
	char text[STW_NAME_MAX];
	int n = snprintf(text, sizeof(text), "stop-the-world (%.*s)", (int)kind.n,
			 kind.s ? kind.s : "");

	return name_number(g, text, (uint32_t)(n < STW_NAME_MAX ? n : STW_NAME_MAX - 1));
}

/* A sweep belongs to a P; it counts for a goroutine that was on it at its begin and at its end. */
static void sweep(struct goroutines *g, const struct event *ev)
{
	uint64_t p = ev->type == EV_GC_SWEEP_ACTIVE ? ev->id : (uint64_t)ev->p;

	if (ev->type != EV_GC_SWEEP_END) {
		if (!ev->g || !live_get(g, ev->g))
			return;
		*map64_at(&g->state->proc_ranges, p) = ev->g + 1;
		range_begin(g, ev->g, g->state->sweep_name, ev->ts_ns,
			    ev->type == EV_GC_SWEEP_ACTIVE);
		return;
	}
	uint64_t *by = map64_get(&g->state->proc_ranges, p);

	if (by && *by == ev->g + 1)
		range_end(g, ev->g, g->state->sweep_name, ev->ts_ns);
	map64_del(&g->state->proc_ranges, p);
}

/* ------------------------------------------------------------------------------- events */

static void note(struct goroutines *g, const struct event *ev)
{
	struct goroutines_state *s = g->state;
	unsigned parts = event_parts(ev);

	if (!g->first_ns)
		g->first_ns = s->sync_ns = ev->ts_ns;
	g->last_ns = max_u64(g->last_ns, ev->ts_ns + parts - 1);
	g->events += ev->type == EV_SYNC ? 0 : parts;
	g->repairs += ev->is_repair;
	if (ev->m == EVENT_NO_M ||
	    s->recent_threads[ev->m % ARRAY_SIZE(s->recent_threads)] == ev->m)
		return;
	s->recent_threads[ev->m % ARRAY_SIZE(s->recent_threads)] = ev->m;
	*map64_at(&s->seen_threads, ev->m) = 1;
}

void goroutines_event(struct goroutines *g, const struct event *ev)
{
	struct transition t[3];
	unsigned n;

	note(g, ev);
	switch (ev->type) {
	case EV_SYNC:
		g->state->sync_ns = ev->ts_ns;
		return;
	case EV_PROC_START:
		set_running(g, ev->id, true, ev->ts_ns);
		return;
	case EV_PROC_STATUS:
		if (ev->status == 1 || ev->status == 3)
			set_running(g, ev->id, true, ev->ts_ns);
		else if (ev->id < g->state->procs.n && g->state->procs.v[ev->id].is_known)
			return; /* says nothing new */
		else
			proc_idles(g, ev->id, ev->ts_ns);
		return;
	case EV_PROC_STOP:
		proc_idles(g, (uint64_t)ev->p, ev->ts_ns);
		return;
	case EV_PROC_STEAL:
		if (ev->status != 4)
			proc_idles(g, ev->id, ev->ts_ns);
		return;
	case EV_PROCS_CHANGE:
		g->gomaxprocs = ev->value;
		return;
	case EV_STW_BEGIN:
		range_begin(g, ev->g, stw_name(g, ev->name), ev->ts_ns, false);
		return;
	case EV_STW_END:
		range_end(g, ev->g, stw_name(g, ev->name), ev->ts_ns);
		return;
	case EV_GC_ASSIST_BEGIN:
		range_begin(g, ev->g, g->state->assist_name, ev->ts_ns, false);
		return;
	case EV_GC_ASSIST_ACTIVE:
		range_begin(g, ev->id, g->state->assist_name, ev->ts_ns, true);
		return;
	case EV_GC_ASSIST_END:
		range_end(g, ev->g, g->state->assist_name, ev->ts_ns);
		return;
	case EV_GC_SWEEP_BEGIN:
	case EV_GC_SWEEP_ACTIVE:
	case EV_GC_SWEEP_END:
		sweep(g, ev);
		return;
	case EV_CPU_SAMPLE:
		g->samples++;
		return;
	case EV_GO_DESTROY_SYSCALL:
		if (ev->p != EVENT_NO_P)
			proc_idles(g, (uint64_t)ev->p, ev->ts_ns);
		break;
	}
	n = transitions_of(ev, t);
	for (unsigned i = 0; i < n; i++)
		move(g, ev, &t[i]);
}

/* ------------------------------------------------------------------------------- life */

struct goroutines *goroutines_new(const struct goroutines_options *o)
{
	struct goroutines *g = xcalloc(1, sizeof(*g));

	g->options = *o;
	g->state = xcalloc(1, sizeof(*g->state));
	name_number(g, "", 0);
	group_named(g, "");
	g->state->callback_group = group_named(g, "runtime.cgocallback");
	g->state->sweep_name = name_number(g, "GC incremental sweep", 20);
	g->state->assist_name = name_number(g, "GC mark assist", 14);
	return g;
}

/* What the open period would add, were it over: with the two quirks of Go's summary
 * (trace-format.md §17). */
static void close_open(struct live *l, uint64_t now)
{
	uint64_t ns = now - l->since_ns;

	if (l->ended_ns)
		return;
	switch ((enum go_state)l->state) {
	case GO_RUNNING:
		l->execution += ns;
		break;
	case GO_RUNNABLE:
		l->sched_wait += ns;
		break;
	case GO_WAITING:
		add_blocked(l, l->reason, ns);
		break;
	case GO_SYSCALL:
		l->syscall += ns;
		l->sched_wait += l->lost_p_ns ? now - l->lost_p_ns : 0;
		break;
	case GO_NOT_EXIST:
		break;
	}
	close_ranges(l, now);
}

static void note_leak(struct goroutines *g, struct map64 *index, const struct live *l)
{
	uint64_t *i = map64_at(index, (uint64_t)l->creation_stack << 32 |
					      (l->creation_stack ? 0 : l->group));

	if (is_system_goroutine(g->groups.v[l->group].name) || !is_wanted(g, l->group))
		return;
	if (!*i) {
		struct made m = l->creation_stack < g->state->made.n
					? g->state->made.v[l->creation_stack]
					: (struct made){ 0 };

		*vec_push(&g->leaks) = (struct leak){ .stack = l->creation_stack,
						      .group = l->group,
						      .reason = NOT_BLOCKED,
						      .created = l->creation_stack ? m.created : 0,
						      .ended = l->creation_stack ? m.ended : 0,
						      .oldest_ns = l->created_ns };
		*i = g->leaks.n;
	}
	struct leak *k = &g->leaks.v[*i - 1];

	k->alive++;
	k->oldest_ns = min_u64(k->oldest_ns, l->created_ns);
	if (l->state == GO_WAITING && (k->reason == NOT_BLOCKED || k->alive == 1))
		k->reason = l->reason;
}

static int by_alive(const void *a, const void *b)
{
	const struct leak *x = a, *y = b;

	if (x->alive != y->alive)
		return x->alive < y->alive ? 1 : -1;
	return x->stack < y->stack ? -1 : x->stack > y->stack;
}

static int by_id(const void *a, const void *b)
{
	const struct live *x = *(struct live *const *)a, *y = *(struct live *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

void goroutines_finish(struct goroutines *g)
{
	struct goroutines_state *s = g->state;
	struct map64 leak_index = { 0 };
	VEC(struct live *) live = { 0 };
	size_t pos = 0;
	uint64_t id, slot;

	/* the map's order is another one in each process */
	while (map64_next(&s->live, &pos, &id, &slot))
		*vec_push(&live) = &s->slots.v[slot - 1];
	if (live.n)
		qsort(live.v, live.n, sizeof(live.v[0]), by_id);
	for (size_t i = 0; i < live.n; i++) {
		struct live *l = live.v[i];

		close_open(l, g->last_ns);
		if (l->state != GO_NOT_EXIST) {
			g->groups.v[l->group].alive++;
			note_leak(g, &leak_index, l);
		}
		fold(g, l, (l->ended_ns ? l->ended_ns : g->last_ns) - l->created_ns);
	}
	vec_free(&live);
	map64_free(&leak_index);
	for (unsigned k = 0; k < PROFILE_KINDS; k++)
		for (size_t i = 0; i < g->profiles[k].samples.n; i++) {
			g->profiles[k].count += g->profiles[k].samples.v[i].count;
			g->profiles[k].ns += g->profiles[k].samples.v[i].ns;
		}
	if (g->leaks.n)
		qsort(g->leaks.v, g->leaks.n, sizeof(g->leaks.v[0]), by_alive);
	for (size_t i = 0; i < g->worst.n; i++) { /* it may have been named since */
		struct live *l = live_get(g, g->worst.v[i].g);

		if (l && !g->worst.v[i].group)
			g->worst.v[i].group = l->group;
	}
	g->threads = s->seen_threads.n;
	if (g->gomaxprocs)
		return;
	for (size_t i = 0; i < s->procs.n; i++) /* never told: those that were seen */
		g->gomaxprocs += s->procs.v[i].is_known;
}

static void times_free(struct go_times *t)
{
	vec_free(&t->by_reason);
	vec_free(&t->by_range);
}

void goroutines_free(struct goroutines *g)
{
	if (!g)
		return;
	struct goroutines_state *s = g->state;

	for (size_t i = 0; i < g->groups.n; i++)
		times_free(&g->groups.v[i].times);
	for (size_t i = 0; i < g->rows.n; i++)
		times_free(&g->rows.v[i].times);
	for (size_t i = 0; i < g->names.n; i++)
		free((char *)(uintptr_t)g->names.v[i]);
	for (size_t i = 0; i < s->slots.n; i++)
		rare_free(s->slots.v[i].rare);
	for (unsigned i = 0; i < PROFILE_KINDS; i++)
		vec_free(&g->profiles[i].samples);
	vec_free(&g->groups);
	vec_free(&g->rows);
	vec_free(&g->names);
	vec_free(&g->worst);
	vec_free(&g->leaks);
	map64_free(&s->live);
	map64_free(&s->group_index);
	map64_free(&s->name_index);
	map64_free(&s->seen_threads);
	map64_free(&s->proc_ranges);
	vec_free(&s->slots);
	vec_free(&s->free_slots);
	vec_free(&s->stack_groups);
	vec_free(&s->reason_profiles);
	vec_free(&s->made);
	vec_free(&s->procs);
	free(s);
	free(g);
}
