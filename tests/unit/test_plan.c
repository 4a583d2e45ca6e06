/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_plan.c - sites, globals and offsets against the symbol table (nm) and the DWARF (gdb) of the same program.
 *
 * PLAN_BINARIES="FILE..." checks these instead of programs built here: scripts/check-plans gives it every version and
 * variant. A check of a file without symbols or DWARF is left out for that file.
 */
#include "gobuild.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "target/offsets.h"

static const char program[] =
"package main\n"
"import (\"context\"; \"fmt\"; \"runtime\"; \"runtime/trace\"; \"sync\")\n"
"func main() {\n"
"	ctx, task := trace.NewTask(context.Background(), \"t\")\n"
"	trace.Log(ctx, \"k\", \"v\")\n"
"	trace.WithRegion(ctx, \"r\", func() { runtime.Gosched() })\n"
"	task.End()\n"
"	var wg sync.WaitGroup\n"
"	wg.Add(1)\n"
"	go wg.Done()\n"
"	wg.Wait()\n"
"	fmt.Println(runtime.NumGoroutine())\n"
"}\n";

static const struct plan_options everything = {.with_sweep = true, .with_syscalls = true, .with_user = true};

struct opened {
	struct image *im;
	struct buildinfo bi;
	struct pclntab *t;
};

static struct opened open_program(const char *path)
{
	struct opened o = {0};
	struct why why = {""};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	if (image_open(fd, &o.im, &why) || buildinfo_read(o.im, &o.bi, &why) ||
	    pclntab_open(o.im, &o.bi.version, &o.t, &why))
		fail_msg("%s: %s", path, why.text);
	close(fd);
	return o;
}

static void close_program(struct opened *o)
{
	pclntab_close(o->t);
	image_close(o->im);
}

static struct plan *make_plan(const char *path, const struct opened *o)
{
	struct why why = {""};
	struct plan *p = NULL;

	if (plan_make(o->im, o->t, &o->bi, &everything, &p, &why))
		fail_msg("%s: %s", path, why.text);
	return p;
}

/* ------------------------------------------------------------------------ against other tools */

static uint64_t symbol_of(const char *nm, const char *name)
{
	CLEANUP(freep) char *line = xasprintf(" %s\n", name);
	const char *at = strstr(nm, line);

	while (at && at > nm && at[-1] != '\n')
		at--;
	return at ? strtoull(at, NULL, 16) : 0;
}

static void check_symbols(const char *path, const struct opened *o, const struct plan *p)
{
	CLEANUP(freep) char *command = xasprintf("nm %s 2>/dev/null; true", path);
	CLEANUP(freep) char *nm = output_of(command);
	const struct globals *g = &p->globals;
	const struct { const char *name; uint64_t addr; } vars[] = {
		{"runtime.allgs", g->allgs}, {"runtime.allp", g->allp}, {"runtime.allm", g->allm},
		{"runtime.sched", g->sched}, {"runtime.gomaxprocs", g->gomaxprocs}, {"runtime.work", g->work},
		{"runtime.gcController", g->gc_controller}, {"runtime.gcphase", g->gcphase},
		{"runtime.waitReasonStrings", g->wait_reasons},
	};

	if (!symbol_of(nm, "runtime.allgs"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		if (symbol_of(nm, vars[i].name) != vars[i].addr)
			fail_msg("%s: %s is at %#lx, found %#lx", path, vars[i].name,
				 symbol_of(nm, vars[i].name), vars[i].addr);
	uint64_t trace = symbol_of(nm, "runtime.trace");

	if (g->trace_enabled) /* a field of it */
		assert_in_range(g->trace_enabled, trace, trace + 0x50000);
	assert_true(g->n_wait_reasons >= 27 && g->n_wait_reasons < 64);
	assert_true(g->tls_g < 0);
}

/* gdb reads the same DWARF with code that shares nothing with ours. */
static void check_dwarf(const char *path, const struct plan *p)
{
	static const struct { const char *type, *field; size_t at; } fields[] = {
#define FIELD(type, path, member) {type, path, offsetof(struct gt_offsets, member)}
		FIELD("g", "stack.hi", g_stack_hi), FIELD("g", "m", g_m), FIELD("g", "sched.sp", g_sched_sp),
		FIELD("g", "sched.pc", g_sched_pc), FIELD("g", "sched.bp", g_sched_bp),
		FIELD("g", "syscallsp", g_syscallsp), FIELD("g", "syscallpc", g_syscallpc),
		FIELD("g", "atomicstatus", g_atomicstatus), FIELD("g", "goid", g_goid),
		FIELD("g", "waitreason", g_waitreason), FIELD("g", "startpc", g_startpc), FIELD("g", "gopc", g_gopc),
		FIELD("g", "waiting", g_waiting), FIELD("g", "labels", g_labels),
		FIELD("m", "procid", m_procid), FIELD("m", "gsignal", m_gsignal), FIELD("m", "curg", m_curg),
		FIELD("m", "p", m_p), FIELD("m", "oldp", m_oldp), FIELD("m", "id", m_id),
		FIELD("m", "alllink", m_alllink), FIELD("m", "lockedg", m_lockedg), FIELD("m", "waitlock", m_waitlock),
		FIELD("m", "syscalltick", m_syscalltick), FIELD("m", "ncgo", m_ncgo),
		FIELD("p", "status", p_status), FIELD("p", "m", p_m), FIELD("p", "syscalltick", p_syscalltick),
		FIELD("p", "gcMarkWorkerMode", p_gc_worker_mode), FIELD("p", "schedtick", p_sched_tick),
		FIELD("hchan", "lock", hchan_lock), FIELD("pollDesc", "fd", poll_fd), FIELD("pollDesc", "rg", poll_rg),
		FIELD("pollDesc", "wg", poll_wg), FIELD("pollDesc", "self", poll_self),
		FIELD("gcControllerState", "heapLive", gc_heap_live),
		FIELD("gcControllerState", "heapMarked", gc_heap_marked),
		FIELD("moduledata", "gofunc", md_gofunc), FIELD("moduledata", "next", md_next),
	};
	struct buf command = {0};

	buf_printf(&command, "gdb -nx -batch -ex 'set language c'");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		buf_printf(&command, " -ex \"printf \\\"@%zu=%%d\\\\n\\\", (int)(long)&(('runtime.%s' *)0)->%s\"",
			   i, fields[i].type, fields[i].field);
	buf_printf(&command, " %s 2>/dev/null; true", path);
	buf_byte(&command, 0);
	CLEANUP(freep) char *out = output_of((char *)command.v);

	buf_free(&command);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		uint16_t have = *(const uint16_t *)((const uint8_t *)&p->offsets + fields[i].at);
		CLEANUP(freep) char *key = xasprintf("@%zu=", i);
		const char *at = strstr(out, key);

		if (at && strtol(at + strlen(key), NULL, 10) != have)
			fail_msg("%s: %s.%s is not at %u but %s", path, fields[i].type, fields[i].field, have, at);
	}
}

static void check_own_dwarf(const char *path, const struct opened *o, const struct plan *p)
{
	struct gt_offsets d;

	if (offsets_from_dwarf(o->im, &d) == 0 && memcmp(&d, &p->offsets, sizeof(d)))
		fail_msg("%s: the table of offsets differs from DWARF", path);
}

static void check_sites(const char *path, const struct opened *o, const struct plan *p)
{
	for (size_t i = 0; i < p->n_sites; i++) {
		const struct site *s = &p->sites[i];
		struct go_func f;

		assert_int_not_equal(s->insn, INSN_STEPPED);
		assert_true(i == 0 || s[-1].vaddr < s->vaddr);
		assert_true(pclntab_find_pc(o->t, s->vaddr, &f));
		assert_int_equal(f.entry + s->func_offset, s->vaddr);
		assert_string_equal(f.name, s->func);
		assert_int_equal(s->file_offset, image_file_offset(o->im, s->vaddr));
		assert_true(s->probe > GT_P_NONE && s->probe < GT_P_MAX);
	}
}

/* Every fact that the code shows, in every binary: that is what makes a hypothesis safe. */
static void check_facts(const char *path, const struct opened *o, const struct plan *p)
{
	struct codes *cs = codes_open(o->im, o->t);
	struct offset_facts facts;

	offsets_derive(cs, &facts);
	codes_close(cs);
	assert_true(facts.n >= 8);
	for (size_t i = 0; i < facts.n; i++) {
		uint16_t have = *(const uint16_t *)((const uint8_t *)&p->offsets + facts.v[i].at);

		if (have != facts.v[i].value)
			fail_msg("%s: %s is %u in code, %u in the plan", path, facts.v[i].name, facts.v[i].value, have);
	}
}

static void check_program(const char *path)
{
	struct opened o = open_program(path);
	struct plan *p = make_plan(path, &o);

	check_sites(path, &o, p);
	check_symbols(path, &o, p);
	check_own_dwarf(path, &o, p);
	check_dwarf(path, p);
	check_facts(path, &o, p);
	plan_free(p);
	close_program(&o);
}

/* ------------------------------------------------------------------------ the tests */

static void given_binaries_have_right_plans(void **state)
{
	const char *list = getenv("PLAN_BINARIES");

	if (!list)
		skip();
	CLEANUP(freep) char *copy = xstrdup(list);

	for (char *path = strtok(copy, " \n"); path; path = strtok(NULL, " \n"))
		check_program(path);
}

static void sites_globals_and_offsets_are_those_of_symbols_and_dwarf(void **state)
{
	CLEANUP(freep) char *plain = gobuild(*state, "plain", program, NULL, "");
	CLEANUP(freep) char *pie = gobuild(*state, "pie", program, NULL, "-buildmode=pie");
	CLEANUP(freep) char *debug = gobuild(*state, "debug", program, NULL, "-gcflags='all=-N -l'");

	check_program(plain);
	check_program(pie);
	check_program(debug);
}

static void go_1_22_has_a_right_plan_too(void **state)
{
	CLEANUP(freep) char *plain = gobuild(*state, "plain22", program, "go1.22.12", "");

	check_program(plain);
}

static void a_stripped_program_has_the_same_sites(void **state)
{
	CLEANUP(freep) char *plain = gobuild(*state, "full", program, NULL, "");
	CLEANUP(freep) char *bare = gobuild(*state, "bare", program, NULL, "-ldflags='-s -w'");
	struct opened a = open_program(plain), b = open_program(bare);
	struct plan *p = make_plan(plain, &a), *q = make_plan(bare, &b);

	assert_int_equal(p->n_sites, q->n_sites);
	for (size_t i = 0; i < p->n_sites; i++) {
		assert_string_equal(p->sites[i].func, q->sites[i].func);
		assert_int_equal(p->sites[i].func_offset, q->sites[i].func_offset);
		assert_int_equal(p->sites[i].probe, q->sites[i].probe);
		assert_int_equal(p->sites[i].arg, q->sites[i].arg);
	}
	assert_memory_equal(&p->offsets, &q->offsets, sizeof(p->offsets));
	plan_free(p);
	plan_free(q);
	close_program(&a);
	close_program(&b);
}

static void pretend(struct opened *o, int minor, int patch)
{
	o->bi.version.minor = minor;
	o->bi.version.patch = patch;
	snprintf(o->bi.version.text, sizeof(o->bi.version.text), "go1.%d.%d", minor, patch);
}

/* The wrong row is never used: with DWARF the right offsets are found all the same, without it there is no plan. */
static void a_row_that_code_contradicts_is_not_used(void **state)
{
	CLEANUP(freep) char *full = gobuild(*state, "full22", program, "go1.22.12", "");
	CLEANUP(freep) char *bare = gobuild(*state, "bare22", program, "go1.22.12", "-ldflags='-s -w'");
	struct opened o = open_program(full), b = open_program(bare);
	struct plan *right = make_plan(full, &o), *p = NULL;
	struct why why = {""};

	for (int minor = 23; minor <= 28; minor++) {
		pretend(&b, minor, 6);
		assert_int_equal(plan_make(b.im, b.t, &b.bi, &everything, &p, &why), -ENOTSUP);
		assert_non_null(strstr(why.text, "-ldflags=-w"));
	}
	pretend(&o, 23, 4); /* the sites of 1.23 are still there, so it is the offsets that decide */
	if (plan_make(o.im, o.t, &o.bi, &everything, &p, &why) == 0) {
		assert_string_equal(p->offsets_from, "DWARF");
		assert_memory_equal(&p->offsets, &right->offsets, sizeof(p->offsets));
		plan_free(p);
	}
	plan_free(right);
	close_program(&o);
	close_program(&b);
}

/* The facts that code of a row's version would show. */
static struct offset_facts facts_of(int minor, int patch)
{
	static const size_t shown[] = {
		offsetof(struct gt_offsets, g_m), offsetof(struct gt_offsets, g_sched_pc),
		offsetof(struct gt_offsets, g_sched_sp), offsetof(struct gt_offsets, g_sched_bp),
		offsetof(struct gt_offsets, g_atomicstatus), offsetof(struct gt_offsets, g_waitreason),
		offsetof(struct gt_offsets, m_block_reason), offsetof(struct gt_offsets, m_curg),
	};
	struct go_version v = {.major = 1, .minor = minor, .patch = patch};
	struct offset_facts f = {.tls_g = -8};
	struct gt_offsets o;
	char from[64];

	assert_int_equal(offsets_for_version(&v, &o, from), 0);
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		f.v[f.n++] = (struct offset_fact){"fact", shown[i], *(uint16_t *)((uint8_t *)&o + shown[i]), true};
	return f;
}

static int resolve(int minor, int patch, const struct offset_facts *f, char from[64])
{
	struct buildinfo bi = {.version = {.major = 1, .minor = minor, .patch = patch, .text = "go1.x"}};
	struct image no_dwarf = {0};
	struct gt_offsets o;
	struct why why;
	char note[256];

	return offsets_resolve(&no_dwarf, &bi, f, &o, from, note, &why);
}

static void a_patch_between_two_layouts_is_decided_by_code(void **state)
{
	struct offset_facts old = facts_of(23, 10), new = facts_of(23, 12);
	char from[64];

	assert_int_equal(resolve(23, 11, &old, from), 0);
	assert_string_equal(from, "table go1.23.4, confirmed by code");
	assert_int_equal(resolve(23, 11, &new, from), 0);
	assert_string_equal(from, "table go1.23.12, confirmed by code");
	assert_int_equal(resolve(24, 5, &new, from), -ENOTSUP);
	assert_int_equal(resolve(23, 12, &old, from), -ENOTSUP);
}

static void a_newer_go_needs_every_fact(void **state)
{
	struct offset_facts f = facts_of(27, 4);
	char from[64];

	assert_int_equal(resolve(28, 0, &f, from), 0);
	assert_string_equal(from, "table go1.27.4, confirmed by code");
	f.n--;
	assert_int_equal(resolve(28, 0, &f, from), -ENOTSUP);
	f.n++;
	f.v[3].value += 8;
	assert_int_equal(resolve(28, 0, &f, from), -ENOTSUP);
	f = facts_of(22, 12);
	assert_int_equal(resolve(28, 0, &f, from), -ENOTSUP);
}

/* Damaged code gives another plan or none, never a site that the kernel would step, and no crash. */
static void damaged_code_is_survived(void **state)
{
	CLEANUP(freep) char *plain = gobuild(*state, "damaged", program, NULL, "-ldflags='-s -w'");
	struct opened o = open_program(plain);

	srand(7);
	for (int round = 0; round < 20; round++) {
		struct image im = *o.im;
		struct image_segment segments[16];
		struct why why = {""};
		struct plan *p = NULL;
		uint8_t *text = NULL;

		assert_true(im.n_segments <= 16);
		memcpy(segments, im.segments, im.n_segments * sizeof(*segments));
		im.segments = segments;
		for (size_t i = 0; i < im.n_segments; i++)
			if (segments[i].executable)
				text = segments[i].data = xmemdup(segments[i].data, segments[i].file_size),
				im.segments[i].data = text;
		for (size_t i = 0; i < im.n_segments; i++)
			for (int k = 0; segments[i].executable && k < 1 << round; k++)
				text[rand() % segments[i].file_size] = rand();
		if (plan_make(&im, o.t, &o.bi, &everything, &p, &why) == 0)
			for (size_t i = 0; i < p->n_sites; i++)
				assert_int_not_equal(p->sites[i].insn, INSN_STEPPED);
		plan_free(p);
		free(text);
	}
	close_program(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_binaries_have_right_plans),
		cmocka_unit_test(sites_globals_and_offsets_are_those_of_symbols_and_dwarf),
		cmocka_unit_test(go_1_22_has_a_right_plan_too),
		cmocka_unit_test(a_stripped_program_has_the_same_sites),
		cmocka_unit_test(a_row_that_code_contradicts_is_not_used),
		cmocka_unit_test(a_patch_between_two_layouts_is_decided_by_code),
		cmocka_unit_test(a_newer_go_needs_every_fact),
		cmocka_unit_test(damaged_code_is_survived),
	};

	if (getenv("PLAN_BINARIES"))
		cmocka_set_test_filter("given*");
	return cmocka_run_group_tests(tests, gobuild_open, gobuild_clean);
}
