/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pclntab.h - Go's own function table: names, extents, lines, inlining. Works on stripped binaries.
 *
 * Layout facts: runtime/symtab.go, runtime/symtabinl.go of Go 1.18 to 1.27; differences by magic
 * (0xfffffff0: 1.18, 1.19; 0xfffffff1: 1.20 to 1.27) and by moduledata offsets (atlas 4 and 5.1).
 * The table is untrusted: every read is bounded, every loop ends.
 */
#ifndef TARGET_PCLNTAB_H
#define TARGET_PCLNTAB_H

#include "gotrace/symbols.h"
#include "target/buildinfo.h"
#include "target/image.h"

struct go_func {
	uint64_t entry, end;   /* vaddrs of the file, end exclusive (next function's entry) */
	uint64_t func_off;     /* of its _func in pclntable */
	const char *name;      /* NUL-terminated inside the image; since Go 1.21 with type arguments: f[go.shape.int] */
};

struct pclntab;

/* Finds moduledata by scanning segments (atlas 5.1). -ENOENT: not a Go program, or one built with another format. */
int pclntab_open(const struct image *im, const struct go_version *v, struct pclntab **ret, struct why *why);
void pclntab_close(struct pclntab *t);

uint64_t pclntab_text(const struct pclntab *t);
uint64_t pclntab_etext(const struct pclntab *t);
uint64_t pclntab_moduledata(const struct pclntab *t);   /* vaddr of runtime.firstmoduledata */
size_t pclntab_count(const struct pclntab *t);
bool pclntab_func(const struct pclntab *t, size_t i, struct go_func *ret);
bool pclntab_find_pc(const struct pclntab *t, uint64_t vaddr, struct go_func *ret);
/* By full name. Of an ABI0/ABIInternal pair the larger body. */
bool pclntab_find_name(const struct pclntab *t, const char *name, struct go_func *ret);
/* All functions of that name, at most max, ascending by entry; returns how many. */
size_t pclntab_find_all(const struct pclntab *t, const char *name, struct go_func *ret, size_t max);

/*
 * Symbols over the table for pcs of a process loaded at `bias` (pc = vaddr + bias). Expansions are cached for ever
 * (bounded by the code that runs). Inline expansion as runtime.newInlineUnwinder does it: file and line of every
 * frame from the pc tables at that frame's pc. Free with symbols_close.
 */
struct symbols *pclntab_symbols(struct pclntab *t, uint64_t bias);
void symbols_close(struct symbols *s);

#endif
