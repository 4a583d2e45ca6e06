/* SPDX-License-Identifier: Apache-2.0 */
/* target.h - a file as the program to trace, as far as `gotrace plan FILE` goes and a little further. */
#ifndef TESTS_FUZZ_TARGET_H
#define TESTS_FUZZ_TARGET_H

#include "fuzz.h"

#include "target/dwarf.h"
#include "target/plan.h"

enum { PCS_PER_FUNC = 4 };

static inline void look_at_frames(struct symbols *s, uint64_t pc)
{
	struct frame f[SYMBOL_MAX_INLINE];
	int n = s->frames(s, pc, f, SYMBOL_MAX_INLINE);

	CHECK(n >= 0 && n <= SYMBOL_MAX_INLINE);
	for (int i = 0; i < n; i++) {
		touch(f[i].func, strlen(f[i].func));
		touch(f[i].file, strlen(f[i].file));
	}
}

static inline void look_at_functions(struct pclntab *t, size_t max)
{
	struct symbols *s = pclntab_symbols(t, 0);
	size_t n = pclntab_count(t), step = n / max + 1;
	struct go_func f, found;
	struct frame frame;

	for (size_t i = 0; i < n; i += step) {
		if (!pclntab_func(t, i, &f))
			continue;
		touch(f.name, strlen(f.name));
		pclntab_find_name(t, f.name, &found);
		s->start_func(s, f.entry, &frame);
		for (unsigned k = 0; k < PCS_PER_FUNC; k++)
			look_at_frames(s, f.entry + (f.end - f.entry) / PCS_PER_FUNC * k);
	}
	look_at_frames(s, pclntab_etext(t) - 1);
	symbols_close(s);
}

static inline void look_at_plan(const struct image *im, const struct pclntab *t, const struct buildinfo *bi)
{
	static const struct plan_options all = {.with_sweep = true, .with_syscalls = true, .with_user = true};
	struct plan *p;
	struct why why = {""};

	if (plan_make(im, t, bi, &all, &p, &why)) {
		CHECK(why.text[0]);
		return;
	}
	for (size_t i = 0; i < p->n_sites; i++) {
		const struct site *s = &p->sites[i];

		touch(s->func, strlen(s->func));
		touch(s->event, strlen(s->event));
		if (s->detail)
			touch(s->detail, strlen(s->detail));
		CHECK(s->insn != INSN_STEPPED && image_at(im, s->vaddr, 1));
		CHECK(image_file_offset(im, s->vaddr) == s->file_offset);
		CHECK(i == 0 || s[-1].vaddr < s->vaddr);
	}
	plan_free(p);
}

static inline void look_at_target(int fd, size_t max_functions)
{
	CLEANUP(image_closep) struct image *im = NULL;
	struct buildinfo bi;
	struct pclntab *t;
	struct why why = {""};

	if (image_open(fd, &im, &why)) {
		CHECK(why.text[0]);
		return;
	}
	if (buildinfo_read(im, &bi, &why) || pclntab_open(im, &bi.version, &t, &why)) {
		CHECK(why.text[0]);
		return;
	}
	look_at_functions(t, max_functions);
	look_at_plan(im, t, &bi);
	pclntab_close(t);
}

#endif
