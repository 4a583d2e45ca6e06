/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - see plan.h. The table of rows is the plan; what stands behind each site is in the runtime atlas (1, 2, 2.6)
 * and was checked there by running: every row in all ten minors.
 *
 * Facts that shape the table:
 * - newproc1 sets newg.goid after its casgstatus until Go 1.23 (runtime/proc.go): GoCreate is taken at runqput.
 * - wirep is called by every fast exitsyscall until Go 1.25: there only acquirep's call of it is a ProcStart.
 * - Go 1.26 has no _Psyscall, changes g's status inline in reentersyscall and exitsyscall, and calls casgstatus there
 *   only when that fails.
 * - goschedImpl got its argument `preempted` (BL) in Go 1.22; before, its callers tell why.
 *
 * Not covered, on purpose (the model repairs what follows): debugCallWrap* (a debugger injects calls), the
 * ProcStop of entersyscallHandleGCWait (Go 1.26+: a P given up inside reentersyscall for a stop of the world; order
 * takes it for stolen, as until Go 1.25), GoStop/GoStart of procresize for a goroutine whose P is removed, and
 * coroswitch_m's own casgstatus calls (both halves of a switch are one event).
 */
#include "target/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gotrace/record.h"
#include "target/globals.h"
#include "target/offsets.h"
#include "target/rules.h"

#define CALL(f, c, o, n) .where = AT_CALL, .funcs = f, .callee = c, .bx = o, .cx = n
#define CAS(f, o, n) CALL(f, "casgstatus", o, n)
#define COPIES(f, o, n) .where = AT_COPIES, .funcs = f, .callee = "casgstatus", .bx = o, .cx = n
#define ENTRY(f) .where = AT_ENTRY, .funcs = f
#define BODY(f) .where = AT_ENTRY_OF_BODY, .funcs = f
#define FLAG(f) .where = AT_FLAG, .funcs = f
#define ONE .min = 1, .max = 1
#define G(r) .gsrc = GT_G_##r

/* G status (runtime/runtime2.go, all versions): 1 runnable, 2 running, 3 syscall, 4 waiting, 6 dead. */
#define CREATED_WAITING 1 /* cookie arg of GT_P_CREATE_BLOCKED: it is waiting whatever ecx says */
enum { RUNNABLE = 1, RUNNING = 2, SYSCALL = 3, WAITING = 4, DEAD = 6 };

static const struct rule rules[] = {
	/* --- goroutines */
	{"GoStart", GT_P_START, G(RAX), CAS("execute", RUNNABLE, RUNNING), ONE},
	{"GoStart", GT_P_START, G(CURG), FLAG("execute"), ONE, .is_fallback = true},

	/* gopark's entry tells in registers what park_m finds in g and m: two reads less (bpf: on_gopark). Until Go 1.21 the
	 * reason there is an event number that may need g.waitreason too; until 1.20 only its stack check could be probed,
	 * which runs twice when the stack grows. */
	{"GoBlock", GT_P_GOPARK, G(R14), .since = 22, ENTRY("gopark"), ONE},
	{"GoBlock", GT_P_PARK, G(RAX), CAS("park_m", RUNNING, WAITING), ONE, .is_alternative = true},
	{"GoBlock", GT_P_PARK, G(CURG), FLAG("park_m"), ONE, .is_fallback = true},

	{"GoBlock", GT_P_PREEMPT_PARK, G(RAX), CALL("preemptPark", "casGToPreemptScan", ANY, ANY), ONE},
	{"GoBlock", GT_P_PREEMPT_PARK, G(CURG), FLAG("preemptPark"), ONE, .is_fallback = true},

	{"GoUnblock", GT_P_READY, G(RAX), BODY("ready"), ONE},
	{"GoUnblock", GT_P_UNBLOCK, G(RAX), COPIES("ready", WAITING, RUNNABLE), .max = 99, .need = REPAIRABLE},

	{"GoUnblock", GT_P_UNBLOCK, G(RAX), CAS("injectglist", WAITING, RUNNABLE), ONE, .need = REPAIRABLE},
	/* all their casgstatus calls from waiting are to runnable (one takes its ecx from a register, 1.22 to 1.25): trace
	 * reader, netpoll twice, idle GC worker twice, and beforeIdle, which only -gcflags=-l leaves in on Linux */
	{"GoUnblock", GT_P_UNBLOCK_WORKER, G(RAX), CAS("findRunnable|findrunnable|schedule", WAITING, ANY),
	 .min = 5, .max = 6, .need = REPAIRABLE},
	{"GoUnblock", GT_P_UNBLOCK_WORKER, G(RAX),
	 CAS("(*gcControllerState).findRunnableGCWorker", WAITING, RUNNABLE), ONE, .need = REPAIRABLE},
	{"GoUnblock", GT_P_UNBLOCK, G(RAX), CAS("park_m", WAITING, RUNNABLE), ONE, .need = REPAIRABLE},

	{"GoStop", GT_P_STOP, G(RAX), GT_STOP_IN_BL, 22, BODY("goschedImpl"), ONE},
	{"GoStop", GT_P_STOP, G(RAX), STOP_UNSPECIFIED, 22, COPIES("goschedImpl", RUNNING, RUNNABLE), .max = 99},
	{"GoStop", GT_P_STOP, G(RAX), STOP_GOSCHED, .until = 21,
	 CALL("gosched_m|goschedguarded_m", "goschedImpl", ANY, ANY), .max = 2},
	{"GoStop", GT_P_STOP, G(RAX), STOP_PREEMPTED, .until = 21, .where = AT_OTHER_CALLERS,
	 .funcs = "gosched_m|goschedguarded_m", .callee = "goschedImpl", .bx = ANY, .cx = ANY, .max = 3},
	{"GoStop", GT_P_STOP, G(RAX), STOP_UNSPECIFIED, .until = 21, COPIES("goschedImpl", RUNNING, RUNNABLE),
	 .max = 99},
	{"GoStop", GT_P_STOP, G(RAX), STOP_PREEMPTED, CAS("goyield_m", RUNNING, RUNNABLE), ONE},
	{"GoStop", GT_P_STOP, G(CURG), STOP_PREEMPTED, FLAG("goyield_m"), ONE, .is_fallback = true},

	{"GoDestroy", GT_P_DESTROY, G(RAX), .since = 22, CAS("gdestroy", RUNNING, DEAD), ONE},
	{"GoDestroy", GT_P_DESTROY, G(RAX), .since = 22, ENTRY("gdestroy"), ONE, .is_fallback = true},
	{"GoDestroy", GT_P_DESTROY, G(RAX), .until = 21, CAS("goexit0", RUNNING, DEAD), ONE},
	{"GoDestroy", GT_P_DESTROY, G(RAX), .until = 21, ENTRY("goexit0"), ONE, .is_fallback = true},

	/* newproc.func1; in Go 1.25+ also synctestRun.func2 (runtime/synctest.go) */
	{"GoCreate", GT_P_CREATE, G(RBX), .where = AT_CALL_WITH, .callee = "runqput", .with = "newproc1",
	 .bx = ANY, .cx = ANY, .funcs = "newproc.func1", .min = 1, .max = 2},
	{"GoCreate", GT_P_CREATE, G(RAX), .where = AT_AFTER_CALL, .callee = "newproc1", .funcs = "newproc.func1",
	 ONE, .is_fallback = true},
	{"GoCreateBlocked", GT_P_CREATE_BLOCKED, G(RAX), .since = 24, CAS("newproc1", DEAD, ANY), ONE,
	 .need = REPAIRABLE, .if_func = "runtime.newcoro"},
	{"GoCreateBlocked", GT_P_CREATE_BLOCKED, G(RAX), CREATED_WAITING, .since = 23, .where = AT_AFTER_CALL,
	 .callee = "newproc1", .funcs = "newcoro.func1", ONE, .need = REPAIRABLE, .if_func = "runtime.newcoro",
	 .is_alternative = true},

	{"GoSwitch", GT_P_CORO_SWITCH, G(RAX), .since = 23, CALL("coroswitch_m", "gogo", ANY, ANY), ONE,
	 .need = OPTIONAL},
	{"GoSwitch", GT_P_CORO_EXIT, G(RAX), .since = 23, CALL("coroswitch_m", "gdestroy", ANY, ANY), ONE,
	 .need = OPTIONAL},

	/* --- system calls and cgo */
	{"GoSyscallBegin", GT_P_SYSCALL_BEGIN, G(R14), .since = 26, ENTRY("reentersyscall"), ONE, .option = SYSCALLS},
	{"GoSyscallBegin", GT_P_SYSCALL_BEGIN_CAS, G(R14), .since = 26, FLAG("reentersyscall|entersyscall"), ONE,
	 .option = SYSCALLS, .is_fallback = true},
	{"GoSyscallBegin", GT_P_SYSCALL_BEGIN_BLOCK, G(R14), .since = 26, ENTRY("entersyscallblock"), ONE,
	 .option = SYSCALLS},
	{"GoSyscallEnd", GT_P_SYSCALL_END, G(R14), .since = 26, .where = AT_PROFILE_FLAG, .funcs = "exitsyscall", ONE,
	 .option = SYSCALLS},

	{"GoSyscallBegin", GT_P_SYSCALL_BEGIN_CAS, G(RAX), .until = 25, CAS("reentersyscall", RUNNING, SYSCALL), ONE,
	 .option = SYSCALLS},
	{"GoSyscallBegin", GT_P_SYSCALL_BEGIN, G(R14), .since = 21, .until = 25, ENTRY("reentersyscall"), ONE,
	 .option = SYSCALLS, .is_fallback = true},
	{"GoSyscallBegin", GT_P_SYSCALL_BEGIN_CAS, G(RAX), .until = 25, CAS("entersyscallblock", RUNNING, SYSCALL), ONE,
	 .option = SYSCALLS},
	{"GoSyscallBegin", GT_P_SYSCALL_BEGIN_BLOCK, G(R14), .since = 21, .until = 25, ENTRY("entersyscallblock"), ONE,
	 .option = SYSCALLS, .is_fallback = true},
	{"GoSyscallEnd", GT_P_SYSCALL_END_CAS, G(RAX), .until = 25, CAS("exitsyscall", SYSCALL, RUNNING), ONE,
	 .option = SYSCALLS},
	{"GoSyscallEnd", GT_P_SYSCALL_END, G(R14), .since = 19, .until = 25, .where = AT_PROFILE_FLAG,
	 .funcs = "exitsyscall", ONE, .option = SYSCALLS, .is_fallback = true},

	{"GoSyscallEndBlocked", GT_P_SYSCALL_END_NO_P, G(RAX), CAS("exitsyscallNoP|exitsyscall0", ANY, RUNNABLE), ONE},
	{"GoSyscallEndBlocked", GT_P_SYSCALL_END_NO_P, G(CURG), .since = 22, FLAG("exitsyscallNoP|exitsyscall0"), ONE,
	 .is_fallback = true},
	{"GoCreateSyscall", GT_P_NEEDM, G(RAX), CAS("needm", ANY, ANY), ONE, .need = OPTIONAL},
	{"GoDestroySyscall", GT_P_DROPM, G(RAX), CAS("dropm", ANY, ANY), ONE, .need = OPTIONAL},

	/* --- Ps */
	{"ProcStart", GT_P_PROC_START, .since = 26, ENTRY("wirep"), ONE},
	{"ProcStart", GT_P_PROC_START, .since = 26, ENTRY("acquirepNoTrace"), ONE, .is_fallback = true},
	{"ProcStart", GT_P_PROC_START, .until = 25, CALL("acquirep", "wirep", ANY, ANY), ONE},
	{"ProcStart", GT_P_PROC_START, .until = 25, ENTRY("acquirep"), ONE, .is_fallback = true},
	{"ProcStop", GT_P_PROC_STOP, ENTRY("releasep"), ONE},
	{"ProcStop", GT_P_PROC_STOP, .since = 22, ENTRY("releasepNoTrace"), ONE, .is_fallback = true},
	{"ProcsChange", GT_P_PROCS_CHANGE, ENTRY("procresize"), ONE},

	/* --- the collector */
	{"STWBegin", GT_P_STW_BEGIN, ENTRY("stopTheWorldWithSema"), ONE, .need = GROUP, .group = 'w'},
	{"STWBegin", GT_P_STW_BEGIN, .arg = 1 /* reason unknown */, .since = 22, FLAG("stopTheWorldWithSema"), ONE,
	 .need = GROUP, .group = 'w', .is_fallback = true},
	{"STWEnd", GT_P_STW_END, .since = 22, FLAG("startTheWorldWithSema"), ONE, .need = GROUP, .group = 'w'},
	{"STWEnd", GT_P_STW_END, .since = 22, ENTRY("startTheWorldWithSema"), ONE, .need = GROUP, .group = 'w',
	 .is_alternative = true},
	{"STWEnd", GT_P_STW_END, .until = 21, ENTRY("startTheWorldWithSema"), ONE, .need = GROUP, .group = 'w'},
	{"GCBegin", GT_P_GC_BEGIN, CALL("gcStart", "gcBgMarkStartWorkers", ANY, ANY), ONE, .need = GROUP, .group = 'g'},
	{"GCEnd", GT_P_GC_END, CAS("gcMarkTermination", WAITING, RUNNING), ONE, .need = GROUP, .group = 'g'},
	{"GCMarkAssistBegin", GT_P_ASSIST_BEGIN, G(RAX),
	 CALL("gcAssistAlloc1", "casGToWaitingForSuspendG|casGToWaitingForGC|casGToWaiting", RUNNING, ANY), ONE,
	 .need = GROUP, .group = 'a'},
	{"GCMarkAssistBegin", GT_P_ASSIST_BEGIN, G(RAX), CAS("gcAssistAlloc1", RUNNING, WAITING), ONE,
	 .need = GROUP, .group = 'a', .is_alternative = true},
	/* An assist lasts until gcAssistAlloc returns, waits and retries included. Every way out passes a trace flag since
	 * Go 1.22, and so does the way in, where no assist is open yet: order ignores that one. */
	{"GCMarkAssistEnd", GT_P_ASSIST_END, G(R14), .since = 22, FLAG("gcAssistAlloc"), ONE, .need = GROUP, .group = 'a'},
	{"GCMarkAssistEnd", GT_P_ASSIST_END, G(R14), .since = 22, .where = AT_LATER_FLAGS, .funcs = "gcAssistAlloc",
	 .min = 2, .max = 5, .need = GROUP, .group = 'a'},
	{"GCMarkAssistEnd", GT_P_ASSIST_END, G(RAX), .until = 21, CAS("gcAssistAlloc1", WAITING, RUNNING), ONE,
	 .need = GROUP, .group = 'a'},

	{"GCSweepBegin", GT_P_SWEEP_BEGIN, FLAG("(*mcentral).cacheSpan|deductSweepCredit|(*mheap).reclaim"),
	 .min = 3, .max = 3, .need = GROUP, .group = 's', .option = SWEEP},
	{"GCSweepEnd", GT_P_SWEEP_END, .where = AT_LATER_FLAGS,
	 .funcs = "(*mcentral).cacheSpan|deductSweepCredit|(*mheap).reclaim",
	 .min = 4, .max = 4, .need = GROUP, .group = 's', .option = SWEEP},
	{"GCSweepSpan", GT_P_SWEEP_SPAN, ENTRY("(*sweepLocked).sweep"), ONE, .need = GROUP, .group = 's',
	 .option = SWEEP},

	/* --- annotations; the stack check of Go 1.20 and before runs twice when the stack grows, its flag test once */
#define USER_EVENT(name, probe, func) \
	{name, probe, .since = 21, ENTRY(func), ONE, .need = OPTIONAL, .option = USER}, \
	{name, probe, .until = 20, .where = AT_FLAG_WITH_ARGS, .funcs = func, ONE, .need = OPTIONAL, .option = USER}, \
	{name, probe, .until = 20, ENTRY(func), ONE, .need = OPTIONAL, .option = USER, .is_alternative = true}
	USER_EVENT("UserTaskBegin", GT_P_TASK_CREATE, "runtime/trace.userTaskCreate|trace_userTaskCreate"),
	USER_EVENT("UserTaskEnd", GT_P_TASK_END, "runtime/trace.userTaskEnd|trace_userTaskEnd"),
	USER_EVENT("UserRegion", GT_P_REGION, "runtime/trace.userRegion|trace_userRegion"),
	USER_EVENT("UserLog", GT_P_LOG, "runtime/trace.userLog|trace_userLog"),
};

/* ------------------------------------------------------------------------------ one plan in the making */

struct maker {
	struct finder finder;
	const struct buildinfo *bi;
	const struct plan_options *opt;
	struct plan *plan;
	site_vec sites;
	VEC(char) site_groups;    /* rule.group of each site */
	bool failed_groups[128];
};

static void PRINTF(2, 3) note(struct maker *m, const char *fmt, ...)
{
	va_list ap;
	char text[512];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	*vec_push(&m->plan->notes) = xstrdup(text);
}

static bool is_wanted(const struct maker *m, const struct rule *r)
{
	switch ((enum rule_option)r->option) {
	case ALWAYS: return true;
	case SYSCALLS: return m->opt->with_syscalls;
	case SWEEP: return m->opt->with_sweep;
	case USER: return m->opt->with_user;
	}
	return false;
}

static bool is_applicable(struct maker *m, const struct rule *r)
{
	int minor = m->bi->version.minor;
	struct go_func f;

	if (minor < r->since || (r->until && minor > r->until) || !is_wanted(m, r))
		return false;
	if (r->probe == GT_P_GOPARK && !m->plan->globals.gopark_return)
		return false;
	if (r->if_func && !pclntab_find_name(m->finder.t, r->if_func, &f))
		return false;
	return r->need != OPTIONAL || rule_has_func(&m->finder, r);
}

static bool any_stepped(const site_vec *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].insn == INSN_STEPPED || v->v[i].file_offset < 0)
			return true;
	return false;
}

/* Takes over what a row finds if that is complete. */
static bool try_rule(struct maker *m, const struct rule *r, int *ret_n)
{
	site_vec found = {0};
	int n = rule_match(&m->finder, r, &found), bodies = rule_bodies(&m->finder, r);
	bool ok = n >= r->min * bodies && n <= r->max * bodies && !any_stepped(&found);

	for (size_t i = 0; ok && i < found.n; i++) {
		*vec_push(&m->sites) = found.v[i];
		*vec_push(&m->site_groups) = r->group;
	}
	vec_free(&found);
	*ret_n = n;
	return ok;
}

static int give_up(struct maker *m, const struct rule *r, int n, struct why *why)
{
	switch ((enum rule_need)r->need) {
	case GROUP:
		if (m->failed_groups[(int)r->group])
			return 0;
		m->failed_groups[(int)r->group] = true;
		note(m, "%s is not recorded: its place in this binary was not found (%s)", r->event, r->funcs);
		return 0;
	case REPAIRABLE:
		note(m, "%s in %s was not found (%d of %d): such events appear late, when their effect is seen", r->event,
		     r->funcs, n < 0 ? 0 : n, r->min);
		return 0;
	case REQUIRED:
	case OPTIONAL: break;
	}
	return why_set(why, -ENOTSUP,
		       "no place to see %s in this binary (%d found in runtime.%s, %s): it was compiled in a way that this "
		       "gotrace does not know%s", r->event, n < 0 ? 0 : n, r->funcs, m->bi->version.text,
		       n < 0 ? "; rebuild it without -pgo" : "");
}

static bool is_second_choice(const struct rule *r)
{
	return r->is_fallback || r->is_alternative;
}

/* The row and its second choices: from i to before *ret_end. */
static int apply_rule(struct maker *m, size_t i, size_t *ret_end, struct why *why)
{
	const struct rule *first = NULL;
	size_t end = i + 1;
	bool done = false;
	int n = 0, n_first = 0;

	while (end < ARRAY_SIZE(rules) && is_second_choice(&rules[end]))
		end++;
	*ret_end = end;
	for (; i < end && !done; i++) {
		if (!is_applicable(m, &rules[i]))
			continue;
		done = try_rule(m, &rules[i], &n);
		if (!first)
			first = &rules[i], n_first = n;
		if (done && rules[i].is_fallback)
			note(m, "%s is taken at another place than usual (%s): this binary was compiled with a profile or by "
			     "another compiler", rules[i].event, rules[i].funcs);
	}
	return done || !first ? 0 : give_up(m, first, n_first, why);
}

static int apply_rules(struct maker *m, struct why *why)
{
	for (size_t i = 0, end; i < ARRAY_SIZE(rules); i = end) {
		int r = apply_rule(m, i, &end, why);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Half of a pair would be wrong: the other half goes too. */
static void drop_failed_groups(struct maker *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->sites.n; i++)
		if (!m->failed_groups[(int)m->site_groups.v[i]])
			m->sites.v[n++] = m->sites.v[i];
	m->sites.n = n;
}

static int by_address(const void *a, const void *b)
{
	const struct site *x = a, *y = b;

	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

static int check_sites(struct maker *m, struct why *why)
{
	const struct pclntab *t = m->finder.t;

	qsort(m->sites.v, m->sites.n, sizeof(*m->sites.v), by_address);
	for (size_t i = 0; i < m->sites.n; i++) {
		const struct site *s = &m->sites.v[i];

		if (s->vaddr < pclntab_text(t) || s->vaddr >= pclntab_etext(t))
			return why_set(why, -ENOTSUP, "%s+%#x is outside of the text", s->func, s->func_offset);
		if (i && s[-1].vaddr == s->vaddr)
			return why_set(why, -ENOTSUP,
				       "%s and %s would be seen at one place (%s+%#x): it was compiled in a way that this "
				       "gotrace does not know", s[-1].event, s->event, s->func, s->func_offset);
	}
	return 0;
}

/* moduledata.next is set by the linker when there are several modules (runtime/symtab.go, -linkshared, plugins). */
static int check_single_module(const struct image *im, const struct pclntab *t, const struct gt_offsets *o,
			       struct why *why)
{
	uint64_t next;

	if (!image_u64(im, pclntab_moduledata(t) + o->md_next, &next) || !next)
		return 0;
	return why_set(why, -ENOTSUP, "linked from several Go modules (-linkshared); gotrace traces executables only");
}

static int find_offsets(struct maker *m, struct why *why)
{
	struct offset_facts facts;
	struct plan *p = m->plan;
	char text[256];

	offsets_derive(m->finder.cs, &facts);
	int r = offsets_resolve(m->finder.im, m->bi, &facts, &p->offsets, p->offsets_from, text, why);

	if (r < 0)
		return r;
	if (*text)
		note(m, "%s", text);
	if (!facts.tls_g)
		return why_set(why, -ENOTSUP, "where this binary keeps g (thread-local storage) is not evident in runtime.mcall; "
			       "it was linked in a way that this gotrace does not know");
	r = globals_find(m->finder.im, m->finder.cs, &p->globals, why);
	p->globals.tls_g = facts.tls_g;
	return r;
}

static int make(struct maker *m, struct why *why)
{
	struct finder *f = &m->finder;
	int r = find_offsets(m, why);

	if (r < 0)
		return r;
	r = check_single_module(f->im, f->t, &m->plan->offsets, why);
	if (r < 0)
		return r;
	f->trace_flag = m->plan->globals.trace_enabled;
	f->profile_flag = globals_goroutine_profile(f->cs, f->trace_flag);
	r = apply_rules(m, why);
	if (r < 0)
		return r;
	drop_failed_groups(m);
	return check_sites(m, why);
}

int plan_make(const struct image *im, const struct pclntab *t, const struct buildinfo *bi,
	      const struct plan_options *opt, struct plan **ret, struct why *why)
{
	struct maker m = {
		.finder = {.im = im, .t = t, .cs = codes_open(im, t)},
		.bi = bi, .opt = opt, .plan = xcalloc(1, sizeof(*m.plan)),
	};

	m.finder.in = inlines_open(m.finder.cs, t);
	int r = make(&m, why);

	m.plan->sites = m.sites.v;
	m.plan->n_sites = m.sites.n;
	vec_free(&m.site_groups);
	inlines_close(m.finder.in);
	codes_close(m.finder.cs);
	if (r < 0) {
		plan_free(m.plan);
		return r;
	}
	*ret = m.plan;
	return 0;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->notes.n; i++)
		free(p->notes.v[i]);
	vec_free(&p->notes);
	free(p->sites);
	free(p);
}

const char *site_insn_name(enum site_insn i)
{
	switch (i) {
	case INSN_STEPPED: return "stepped";
	case INSN_CALL: return "call";
	case INSN_PUSH: return "push";
	case INSN_JCC: return "jcc";
	case INSN_JMP: return "jmp";
	case INSN_NOP: return "nop";
	case INSN_NOP5: return "nop5";
	}
	return "?";
}
