/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_plan.c - a real Go program (the file FUZZ_BINARY) with some bytes changed: what stands behind the checks of an
 * honest file, decoding of code and the plan above all. With FUZZ_BINARY_AS_IT_IS it is not made smaller first.
 *
 * An input is a list of changes: where (a region: see regions; then an offset of three bytes), how many bytes less one
 * (one byte), the bytes. Offsets are taken modulo the region's size.
 */
#include "target.h"
#include "target/pclntab_internal.h"

enum { CHANGES_MAX = 64, REGIONS_MAX = 64 };

struct region {
	uint64_t at, n; /* in the file */
};

static struct buf binary;
static int fd = -1;
static struct region regions[REGIONS_MAX];
static size_t n_regions;

static void add_region(const void *p, uint64_t n)
{
	if (n_regions < REGIONS_MAX && n)
		regions[n_regions++] = (struct region){(uint64_t)p, n};
}

static void add_vaddr(const struct image *im, uint64_t vaddr, uint64_t n)
{
	int64_t at = image_file_offset(im, vaddr);

	if (at >= 0)
		add_region((const void *)at, min_u64(n, binary.n - (uint64_t)at));
}

static void add_table(const struct image *im, const struct table *t)
{
	add_region((const void *)(t->p - (const uint8_t *)im->map), t->n);
}

/* The functions that the plan looks at. */
static void add_functions(const struct image *im, const struct pclntab *t)
{
	static const char *const names[] = {
		"casgstatus", "execute", "park_m", "gopark", "ready", "goschedImpl", "gdestroy", "newproc.func1", "newproc1",
		"reentersyscall", "exitsyscall", "exitsyscallNoP", "wirep", "releasep", "procresize", "findRunnable",
		"injectglist", "mcall", "schedinit", "forEachG", "allgadd", "preemptall", "sysmon", "gcStart", "gcBgMarkWorker",
		"stopTheWorldWithSema", "gcMarkTermination", "waitReason.String", "mexit", "GOMAXPROCS", "systemstack",
		"preemptPark", "goyield_m", "coroswitch_m", "gcAssistAlloc", "startTheWorldWithSema",
	};
	char name[64];
	struct go_func f;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(name, sizeof(name), "runtime.%s", names[i]);
		if (pclntab_find_name(t, name, &f))
			add_vaddr(im, f.entry, f.end - f.entry);
	}
}

static void find_regions(const struct image *im, const struct pclntab *t)
{
	add_region(0, 1024); /* headers */
	add_vaddr(im, pclntab_moduledata(t), 512);
	add_table(im, &t->ftab);
	add_table(im, &t->funcs);
	add_table(im, &t->names);
	add_table(im, &t->pctab);
	add_table(im, &t->cutab);
	add_table(im, &t->filetab);
	add_vaddr(im, t->gofunc, 65536); /* inline trees among others */
	add_region(0, binary.n);
	add_functions(im, t);
}

/* ------------------------------------------------------------------------------- less to decode */

/* Sites of the plan, 0: none. */
static size_t count_sites(void)
{
	static const struct plan_options all = {.with_sweep = true, .with_syscalls = true, .with_user = true};
	CLEANUP(image_closep) struct image *im = NULL;
	struct buildinfo bi;
	struct pclntab *t;
	struct plan *p;
	size_t n = 0;

	if (image_open(fd, &im, NULL) || buildinfo_read(im, &bi, NULL) || pclntab_open(im, &bi.version, &t, NULL))
		return 0;
	if (!plan_make(im, t, &bi, &all, &p, NULL)) {
		n = p->n_sites;
		plan_free(p);
	}
	pclntab_close(t);
	return n;
}

static void rename_to(char c, const uint64_t *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		CHECK(pwrite(fd, &c, 1, (off_t)names[i]) == 1);
}

/* Functions without which the plan is the same are not called runtime any more. */
static void hide_functions(const uint64_t *names, size_t n, size_t n_sites)
{
	if (!n)
		return;
	rename_to('R', names, n);
	if (count_sites() == n_sites)
		return;
	rename_to('r', names, n);
	if (n <= 8)
		return;
	hide_functions(names, n / 2, n_sites);
	hide_functions(names + n / 2, n - n / 2, n_sites);
}

/*
 * The plan decodes all 1,264 functions of package runtime, with sanitizers ten times a second. It needs 178 of them. To find
 * them takes ten seconds: the program that is left is kept beside the other.
 */
static void hide_what_the_plan_does_not_need(const struct image *im, const struct pclntab *t)
{
	VEC(uint64_t) names = {0};
	struct go_func f;

	for (size_t i = 0; i < pclntab_count(t); i++)
		if (pclntab_func(t, i, &f) && !strncmp(f.name, "runtime.", 8))
			*vec_push(&names) = (uint64_t)((const uint8_t *)f.name - (const uint8_t *)im->map);
	hide_functions(names.v, names.n, count_sites());
	CHECK(pread(fd, binary.v, binary.n, 0) == (ssize_t)binary.n);
	vec_free(&names);
}

static void open_program(struct image **im, struct pclntab **t)
{
	struct buildinfo bi;
	struct why why;

	if (fd < 0)
		fd = memfd_create("binary", MFD_CLOEXEC);
	CHECK(fd >= 0 && pwrite(fd, binary.v, binary.n, 0) == (ssize_t)binary.n);
	CHECK(!image_open(fd, im, &why) && !buildinfo_read(*im, &bi, &why) && !pclntab_open(*im, &bi.version, t, &why));
}

static void keep(const char *path)
{
	CLEANUP(freep) char *fresh = xasprintf("%s.%d", path, (int)getpid());
	CLEANUP(closep) int out = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(out >= 0 && !write_all(out, binary.v, binary.n) && !rename(fresh, path));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *path = getenv("FUZZ_BINARY");
	CLEANUP(freep) char *less = xasprintf("%s.less", path ? path : "");
	CLEANUP(image_closep) struct image *im = NULL;
	struct pclntab *t;
	bool is_kept = path && !read_file(less, 64 << 20, &binary);

	if (!path || (!is_kept && read_file(path, 64 << 20, &binary))) {
		fprintf(stderr, "FUZZ_BINARY=FILE names no Go program\n");
		return 1;
	}
	open_program(&im, &t);
	if (!is_kept && !getenv("FUZZ_BINARY_AS_IT_IS")) {
		hide_what_the_plan_does_not_need(im, t);
		keep(less);
	}
	find_regions(im, t);
	pclntab_close(t);
	return 0;
}

struct change {
	uint64_t at, n;
	const uint8_t *bytes;
};

static bool next_change(struct cursor *c, struct change *ret)
{
	const struct region *r = &regions[cursor_u8(c) % n_regions];
	uint64_t offset = cursor_u16(c) | (uint64_t)cursor_u8(c) << 16;
	uint64_t n = cursor_u8(c) % 64 + 1;

	ret->at = r->at + offset % r->n;
	ret->n = min_u64(min_u64(n, cursor_left(c)), binary.n - ret->at);
	ret->bytes = cursor_bytes(c, ret->n);
	return !c->bad && ret->n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cursor c = cursor_of(data, n);
	struct change made[CHANGES_MAX];
	size_t n_made = 0;

	if (fd < 0)
		exit(1); /* libFuzzer does not look at what LLVMFuzzerInitialize returns */
	while (n_made < CHANGES_MAX && next_change(&c, &made[n_made])) {
		CHECK(pwrite(fd, made[n_made].bytes, made[n_made].n, (off_t)made[n_made].at) == (ssize_t)made[n_made].n);
		n_made++;
	}
	look_at_target(fd, 64);
	while (n_made--)
		CHECK(pwrite(fd, binary.v + made[n_made].at, made[n_made].n, (off_t)made[n_made].at) ==
		      (ssize_t)made[n_made].n);
	return 0;
}
