/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pclntab.c - functions and frames against Go's own runtime.
 *
 * The oracle is a Go program that walks its own text and prints what its runtime makes of each pc:
 * runtime/pprof.runtime_expandFinalInlineFrame and runtime.CallersFrames.
 */
#include "gobuild.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "target/pclntab.h"

static const char oracle[] =
"package main\n"
"import (\n"
"	\"bufio\"\n"
"	\"fmt\"\n"
"	\"os\"\n"
"	\"reflect\"\n"
"	\"runtime\"\n"
"	\"runtime/pprof\"\n"
"	\"strings\"\n"
"	\"unsafe\"\n"
")\n"
"//go:linkname expand runtime/pprof.runtime_expandFinalInlineFrame\n"
"func expand(stk []uintptr) []uintptr\n"
"type pair[K comparable, V any] struct { k K; v V }\n"
"//go:noinline\n"
"func (p *pair[K, V]) Get() V { return p.v }\n"
"//go:noinline\n"
"func each[T any](in []T, f func(T)) { for _, x := range in { f(x) } }\n"
"//go:noinline\n"
"func worker(done chan int, n int) { done <- n }\n"
"type inner struct{ n int }\n"
"//go:noinline\n"
"func (i inner) Value() int { return i.n }\n"
"type outer struct{ *inner }\n"
"var valuer interface{ Value() int } = outer{&inner{1}}\n"
"func main() {\n"
"	done := make(chan int, 1)\n"
"	go worker(done, 1)\n"
"	<-done\n"
"	each([]pair[string, []int]{{\"a\", []int{1}}}, func(p pair[string, []int]) { p.Get() })\n"
"	valuer.Value()\n"
"	pprof.Profiles()\n"
"	w := bufio.NewWriter(os.Stdout)\n"
"	defer w.Flush()\n"
"	fmt.Fprintf(w, \"%x %x\\n\", reflect.ValueOf(main).Pointer(), reflect.ValueOf(worker).Pointer())\n"
"	maps, _ := os.ReadFile(\"/proc/self/maps\")\n"
"	exe, _ := os.Readlink(\"/proc/self/exe\")\n"
"	var lo, hi uintptr\n"
"	for _, l := range strings.Split(string(maps), \"\\n\") {\n"
"		if strings.Contains(l, \"r-xp\") && strings.HasSuffix(l, exe) { fmt.Sscanf(l, \"%x-%x\", &lo, &hi) }\n"
"	}\n"
"	_ = unsafe.Pointer(nil)\n"
"	for pc := lo; pc < hi; pc += 61 {\n"
"		if runtime.FuncForPC(pc) == nil || runtime.FuncForPC(pc + 1) == nil { continue }\n"
"		if runtime.FuncForPC(pc).Entry() >= pc || runtime.FuncForPC(pc + 1).Entry() > pc { continue }\n"
"		fmt.Fprintf(w, \"%x\", pc)\n"
"		for _, ret := range expand([]uintptr{pc + 1}) {\n"
"			f, _ := runtime.CallersFrames([]uintptr{ret}).Next()\n"
"			fmt.Fprintf(w, \"|%x %s %s:%d\", f.PC, f.Function, f.File, f.Line)\n"
"		}\n"
"		fmt.Fprintln(w)\n"
"	}\n"
"}\n";

struct opened {
	struct image *im;
	struct pclntab *t;
	int minor;
};

static struct opened open_program(const char *program)
{
	struct opened o = {0};
	struct buildinfo bi;
	struct why why = {0};
	CLEANUP(closep) int fd = open(program, O_RDONLY);

	if (image_open(fd, &o.im, &why) || buildinfo_read(o.im, &bi, &why) ||
	    pclntab_open(o.im, &bi.version, &o.t, &why))
		fail_msg("%s", why.text);
	o.minor = bi.version.minor;
	return o;
}

static void close_program(struct opened *o)
{
	pclntab_close(o->t);
	image_close(o->im);
}

/*
 * As runtime_expandFinalInlineFrame has it: without wrappers, unless nothing is inlined there; up to Go 1.20 the
 * outermost frame always stays.
 */
static char *print_frames(struct symbols *s, uint64_t pc, int minor)
{
	struct frame f[SYMBOL_MAX_INLINE];
	int n = s->frames(s, pc, f, SYMBOL_MAX_INLINE);
	bool keeps_wrapper = false;
	struct buf b = {0};

	buf_printf(&b, "%llx", (unsigned long long)pc);
	for (int i = 0; i < n; i++) {
		if (!f[i].is_wrapper || keeps_wrapper || n == 1 ||
		    (minor <= 20 && i == n - 1))
			buf_printf(&b, "|%llx %s %s:%u", (unsigned long long)f[i].pc, f[i].func, f[i].file,
				   f[i].line);
		keeps_wrapper = f[i].keeps_wrapper;
	}
	buf_byte(&b, 0);
	return (char *)b.v;
}

static size_t compare_lines(struct symbols *s, int minor, char *lines, size_t *total, size_t *inlined)
{
	size_t wrong = 0;

	for (char *save, *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		CLEANUP(freep) char *ours = print_frames(s, strtoull(line, NULL, 16), minor);

		/* Go takes name offset 0 for "no name" (moduledata.funcName): its first function has none. */
		if (strstr(line, "  "))
			continue;
		++*total;
		*inlined += strchr(line, '|') != strrchr(line, '|');
		if (strcmp(ours, line) && wrong++ < 5)
			print_message("Go:   %s\nours: %s\n", line, ours);
	}
	return wrong;
}

static void check_start_func(struct opened *o, struct symbols *s, uint64_t bias, uint64_t worker)
{
	const char *wrapper = o->minor >= 22 ? "main.main.gowrap1" : "main.main.func1";
	const char *names[] = {wrapper, "main.main.func2", "main.worker"};
	struct go_func f;
	struct frame start;

	if (!pclntab_find_name(o->t, wrapper, &f))
		assert_true(pclntab_find_name(o->t, names[1], &f));
	/* Up to 1.21 wrappers and closures share a name series: take the one that leads to worker. */
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!pclntab_find_name(o->t, names[i], &f))
			continue;
		assert_int_equal(s->start_func(s, f.entry + bias, &start), 0);
		if (start.pc == worker && i < 2)
			break;
		assert_true(i < 2);
	}
	assert_string_equal(start.func, "main.worker");
	assert_int_equal(start.pc, worker);
	assert_int_equal(s->start_func(s, worker, &start), 0);
	assert_int_equal(start.pc, worker);
}

static void check_against_runtime(struct gobuild *b, const char *name, const char *toolchain, const char *flags)
{
	CLEANUP(freep) char *program = gobuild(b, name, oracle, toolchain, flags);
	struct opened o = open_program(program);
	CLEANUP(freep) char *said = output_of(program);
	char *rest;
	uint64_t main_at = strtoull(said, &rest, 16), worker = strtoull(rest, &rest, 16);
	struct go_func main_func;
	size_t total = 0, inlined = 0;

	assert_true(pclntab_find_name(o.t, "main.main", &main_func));
	struct symbols *s = pclntab_symbols(o.t, main_at - main_func.entry);

	assert_int_equal(compare_lines(s, o.minor, rest, &total, &inlined), 0);
	print_message("%s: %zu pcs equal, %zu with inlined frames\n", name, total, inlined);
	assert_true(total > 1000 && inlined > 100);
	check_start_func(&o, s, main_at - main_func.entry, worker);
	symbols_close(s);
	close_program(&o);
}

static void frames_are_those_of_the_runtime(void **state)
{
	check_against_runtime(*state, "exe", NULL, "-ldflags=-checklinkname=0");
}

static void a_stripped_pie_has_the_same_frames_as_its_runtime_says(void **state)
{
	check_against_runtime(*state, "pie", NULL, "-buildmode=pie -ldflags='-checklinkname=0 -s -w'");
}

static void go_1_20_frames_are_those_of_its_runtime(void **state)
{
	check_against_runtime(*state, "exe120", "go1.20.14", "");
}

/* The oracle skips the first function: Go takes name offset 0 for none, we do not. */
static void functions_are_those_of_the_symbol_table(void **state)
{
	CLEANUP(freep) char *program = gobuild(*state, "exe", oracle, NULL, "-ldflags=-checklinkname=0");
	CLEANUP(freep) char *command = xasprintf("go tool nm %s", program);
	CLEANUP(freep) char *symbols = output_of(command);
	struct opened o = open_program(program);
	size_t found = 0, wanted = 0;

	for (char *save, *line = strtok_r(symbols, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long long at;
		char kind, name[512];
		struct go_func all[16];

		if (sscanf(line, "%llx %c %511s", &at, &kind, name) != 3)
			continue;
		if (!strcmp(name, "runtime.etext"))
			assert_int_equal(pclntab_etext(o.t), at);
		if (!strcmp(name, "runtime.firstmoduledata"))
			assert_int_equal(pclntab_moduledata(o.t), at);
		if (strncmp(name, "runtime.", 8) || kind != 'T' || strstr(name, ".abi0"))
			continue; /* 't' are the linker's own marks as well; .abi0 is not in the table's names */
		wanted++;
		size_t n = pclntab_find_all(o.t, name, all, ARRAY_SIZE(all));

		for (size_t i = 0; i < n; i++)
			found += all[i].entry == at;
	}
	assert_int_equal(found, wanted);
	assert_true(wanted > 1000);
	close_program(&o);
}

static void only_the_panic_functions_keep_the_wrappers_they_call(void **state)
{
	CLEANUP(freep) char *program = gobuild(*state, "exe", oracle, NULL, "-ldflags=-checklinkname=0");
	struct opened o = open_program(program);
	struct symbols *s = pclntab_symbols(o.t, 0);
	static const struct { const char *name; bool keeps, is_wrapper; } functions[] = {
		{"runtime.gopanic", true, false}, {"runtime.sigpanic", true, false},
		{"runtime.panicwrap", true, false}, {"runtime.mcall", false, false},
		{"runtime.systemstack_switch", false, false}, {"main.main", false, false},
		{"main.(*inner).Value", false, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		struct go_func f;
		struct frame frame;

		assert_true(pclntab_find_name(o.t, functions[i].name, &f));
		assert_int_equal(s->frames(s, f.entry, &frame, 1), 1);
		assert_string_equal(frame.func, functions[i].name);
		assert_int_equal(frame.keeps_wrapper, functions[i].keeps);
		assert_int_equal(frame.is_wrapper, functions[i].is_wrapper);
	}
	symbols_close(s);
	close_program(&o);
}

/* What stands before an entry belongs to it when it is padding, and to the function before when it is code. */
static void a_preempted_entry_is_the_line_of_its_function(void **state)
{
	CLEANUP(freep) char *program = gobuild(*state, "exe", oracle, NULL, "-ldflags=-checklinkname=0");
	struct opened o = open_program(program);
	struct symbols *s = pclntab_symbols(o.t, 0);
	size_t padded = 0, full = 0;

	for (size_t i = 1; i < pclntab_count(o.t); i++) {
		struct go_func before, f;
		struct frame frame[SYMBOL_MAX_INLINE], entry[SYMBOL_MAX_INLINE];

		assert_true(pclntab_func(o.t, i - 1, &before) && pclntab_func(o.t, i, &f));
		int n = s->frames(s, f.entry - 1, frame, SYMBOL_MAX_INLINE);

		assert_true(n > 0);
		if (!strcmp(frame[n - 1].func, before.name) || strchr(before.name, '[')) {
			full++;
			continue;
		}
		padded++;
		assert_int_equal(s->frames(s, f.entry, entry, SYMBOL_MAX_INLINE), n);
		assert_int_equal(frame[0].pc, f.entry);
		assert_true(frame[0].line > 0 || !strncmp(frame[0].func, "go:", 3)); /* the linker's marks */
		assert_int_equal(frame[0].line, entry[0].line);
		assert_string_equal(frame[0].func, entry[0].func);
	}
	print_message("%zu entries after padding, %zu after code\n", padded, full);
	assert_true(padded > 1000 && full < padded / 5);
	symbols_close(s);
	close_program(&o);
}

static void code_outside_of_go_has_no_frames(void **state)
{
	CLEANUP(freep) char *program = gobuild(*state, "exe", oracle, NULL, "-ldflags=-checklinkname=0");
	struct opened o = open_program(program);
	const uint64_t bias = 0x1000000;
	struct symbols *s = pclntab_symbols(o.t, bias);
	uint64_t outside[] = {0, pclntab_text(o.t) + bias - 1, pclntab_etext(o.t) + bias, UINT64_MAX};
	struct frame f;

	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		assert_int_equal(s->frames(s, outside[i], &f, 1), 0);
		assert_int_equal(s->start_func(s, outside[i], &f), -ENOENT);
	}
	symbols_close(s);
	close_program(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_those_of_the_runtime),
		cmocka_unit_test(a_stripped_pie_has_the_same_frames_as_its_runtime_says),
		cmocka_unit_test(go_1_20_frames_are_those_of_its_runtime),
		cmocka_unit_test(functions_are_those_of_the_symbol_table),
		cmocka_unit_test(only_the_panic_functions_keep_the_wrappers_they_call),
		cmocka_unit_test(a_preempted_entry_is_the_line_of_its_function),
		cmocka_unit_test(code_outside_of_go_has_no_frames),
	};

	return cmocka_run_group_tests(tests, gobuild_open, gobuild_clean);
}
