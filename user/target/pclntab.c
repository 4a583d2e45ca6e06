/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pclntab.c - see pclntab.h.
 *
 * Offsets in pcHeader and moduledata are those of runtime/symtab.go, the same from Go 1.18 to 1.27 unless a table
 * below says otherwise (checked against DWARF of all ten: atlas 4).
 */
#include "target/pclntab_internal.h"

#include <errno.h>
#include <stdlib.h>

enum {
	HEADER_NFUNC = 8, HEADER_FUNCNAME_OFFSET = 32, HEADER_SIZE = 72,
	MD_FUNCNAMETAB = 8, MD_CUTAB = 32, MD_FILETAB = 56, MD_PCTAB = 80, MD_PCLNTABLE = 104, MD_FTAB = 128,
	MD_TEXT = 176, MD_ETEXT = 184,
	FTAB_ENTRY = 8,         /* {entryoff u32, funcoff u32} */
	MAX_NAME = 1024,        /* longer ones are not found by name; bounds the work on a hostile table */
	MAX_STRING = 1 << 14,   /* likewise: a table without an end of a string, which every function names */
};

/* runtime2.go: _func; symtab.go, symtabinl.go: inlinedCall. */
static const struct pclntab_layout layouts[] = {
	{.magic = 0xfffffff0, .first_minor = 18, .last_minor = 19,
	 .func_size = 40, .func_id_at = 36, .nfuncdata_at = 39,
	 .inlined_size = 20, .inlined_id_at = 2, .inlined_name_at = 12, .inlined_parent_at = 16},
	{.magic = 0xfffffff1, .first_minor = 20, .last_minor = 1000,
	 .func_size = 44, .func_id_at = 40, .nfuncdata_at = 43,
	 .inlined_size = 16, .inlined_id_at = 0, .inlined_name_at = 4, .inlined_parent_at = 8},
};

/* moduledata.gofunc. Go 1.20 added covctrs before it, Go 1.27 typedesclen, itaboffset and itabsize. */
static const struct { int last_minor; uint16_t offset; } gofunc_offsets[] = {
	{19, 304}, {26, 320}, {1000, 344},
};

bool table_u32(const struct table *t, uint64_t offset, uint32_t *ret)
{
	if (offset > t->n || t->n - offset < 4)
		return false;
	struct cursor c = cursor_of(t->p + offset, 4);

	*ret = cursor_u32(&c);
	return true;
}

static bool table_u8(const struct table *t, uint64_t offset, uint8_t *ret)
{
	if (offset >= t->n)
		return false;
	*ret = t->p[offset];
	return true;
}

const char *table_string(const struct table *t, uint64_t offset)
{
	if (offset >= t->n || !memchr(t->p + offset, 0, min_u64(t->n - offset, MAX_STRING)))
		return NULL;
	return (const char *)t->p + offset;
}

static const struct pclntab_layout *layout_at(const struct image *im, uint64_t header)
{
	const uint8_t *p = image_at(im, header, HEADER_SIZE);

	if (!p)
		return NULL;
	struct cursor c = cursor_of(p, HEADER_SIZE);
	uint32_t magic = cursor_u32(&c), rest = cursor_u32(&c);

	if (rest != 0x08010000) /* pads 0 0, pc quantum 1, pointer size 8 */
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		if (layouts[i].magic == magic)
			return &layouts[i];
	return NULL;
}

/* The slice at moduledata + at, whose elements are `size` bytes; in the image entirely. */
static bool read_slice(const struct image *im, uint64_t at, uint64_t size, struct table *ret)
{
	uint64_t ptr, len, bytes;

	if (!image_u64(im, at, &ptr) || !image_u64(im, at + 8, &len) ||
	    __builtin_mul_overflow(len, size, &bytes))
		return false;
	const uint8_t *p = image_at(im, ptr, bytes);

	if (!p)
		return false;
	*ret = (struct table){.p = p, .n = bytes};
	return true;
}

static bool read_tables(struct pclntab *t, uint64_t md)
{
	const struct image *im = t->im;

	return read_slice(im, md + MD_FUNCNAMETAB, 1, &t->names) &&
	       read_slice(im, md + MD_CUTAB, 4, &t->cutab) &&
	       read_slice(im, md + MD_FILETAB, 1, &t->filetab) &&
	       read_slice(im, md + MD_PCTAB, 1, &t->pctab) &&
	       read_slice(im, md + MD_PCLNTABLE, 1, &t->funcs) &&
	       read_slice(im, md + MD_FTAB, FTAB_ENTRY, &t->ftab) &&
	       image_u64(im, md + MD_TEXT, &t->text) && image_u64(im, md + MD_ETEXT, &t->etext);
}

/* A moduledata points to its pcHeader and then to the names that the header says where to find. */
static bool is_moduledata(struct pclntab *t, uint64_t md, uint64_t header)
{
	uint64_t funcname_offset, names, n;

	t->layout = layout_at(t->im, header);
	if (!t->layout || !image_u64(t->im, header + HEADER_FUNCNAME_OFFSET, &funcname_offset) ||
	    !image_u64(t->im, header + HEADER_NFUNC, &n) ||
	    !image_u64(t->im, md + MD_FUNCNAMETAB, &names) || names != header + funcname_offset)
		return false;
	if (!read_tables(t, md) || n == 0 || t->ftab.n / FTAB_ENTRY != n + 1 || n > UINT32_MAX / 2)
		return false;
	if (t->text >= t->etext || !image_at(t->im, t->text, t->etext - t->text))
		return false;
	t->n = n;
	t->moduledata = md;
	return true;
}

static bool scan_segment(struct pclntab *t, const struct image_segment *s)
{
	uint64_t skip = -s->vaddr & 7; /* the linker aligns moduledata, not the segment */

	if (s->file_size < skip)
		return false;
	struct cursor c = cursor_of(s->data + skip, s->file_size - skip);

	for (uint64_t vaddr = s->vaddr + skip; cursor_left(&c) >= 8; vaddr += 8) {
		uint64_t word = cursor_u64(&c);

		if (word >= t->im->first_vaddr && is_moduledata(t, vaddr, word))
			return true;
	}
	return false;
}

/* One pass, and constant work per word, whatever the file holds. Moduledata is writable in all versions so far. */
static bool find_moduledata(struct pclntab *t)
{
	for (int writable = 1; writable >= 0; writable--)
		for (size_t i = 0; i < t->im->n_segments; i++)
			if (t->im->segments[i].writable == writable &&
			    scan_segment(t, &t->im->segments[i]))
				return true;
	return false;
}

static bool find_gofunc(struct pclntab *t)
{
	size_t i = 0;

	while (t->minor > gofunc_offsets[i].last_minor && i + 1 < ARRAY_SIZE(gofunc_offsets))
		i++;
	return image_u64(t->im, t->moduledata + gofunc_offsets[i].offset, &t->gofunc) &&
	       image_left(t->im, t->gofunc);
}

static uint64_t hash_name(const char *name)
{
	return hash_bytes(name, strnlen(name, MAX_NAME), 0);
}

/* From the last to the first, so that chains ascend. */
static void index_names(struct pclntab *t)
{
	t->next_of_name = xcalloc(t->n, sizeof(*t->next_of_name));
	for (size_t i = t->n; i-- > 0;) {
		struct go_func f;

		if (!pclntab_func(t, i, &f) || strnlen(f.name, MAX_NAME) == MAX_NAME)
			continue;
		uint64_t *first = map64_at(&t->by_name, hash_name(f.name));

		t->next_of_name[i] = (uint32_t)*first;
		*first = i + 1;
	}
}

int pclntab_open(const struct image *im, const struct go_version *v, struct pclntab **ret, struct why *why)
{
	struct pclntab *t = xcalloc(1, sizeof(*t));
	int err = 0;

	t->im = im;
	t->minor = v->minor;
	if (!find_moduledata(t))
		err = why_set(why, -ENOENT, "no Go function table: not a Go program, or packed or obfuscated");
	else if (t->minor < t->layout->first_minor || t->minor > t->layout->last_minor ||
		 !find_gofunc(t))
		err = why_set(why, -ENOENT, "its function table is not laid out as that of Go 1.%d",
			      t->minor);
	if (err) {
		pclntab_close(t);
		return err;
	}
	index_names(t);
	*ret = t;
	return 0;
}

void pclntab_close(struct pclntab *t)
{
	if (!t)
		return;
	map64_free(&t->by_name);
	free(t->next_of_name);
	free(t);
}

uint64_t pclntab_text(const struct pclntab *t)
{
	return t->text;
}

uint64_t pclntab_etext(const struct pclntab *t)
{
	return t->etext;
}

uint64_t pclntab_moduledata(const struct pclntab *t)
{
	return t->moduledata;
}

size_t pclntab_count(const struct pclntab *t)
{
	return t->n;
}

bool pclntab_func(const struct pclntab *t, size_t i, struct go_func *ret)
{
	uint32_t entry, func_off, end, name_off;

	if (i >= t->n || !table_u32(&t->ftab, i * FTAB_ENTRY, &entry) ||
	    !table_u32(&t->ftab, i * FTAB_ENTRY + 4, &func_off) ||
	    !table_u32(&t->ftab, (i + 1) * FTAB_ENTRY, &end) ||
	    !table_u32(&t->funcs, func_off + 4ull, &name_off))
		return false;
	const char *name = table_string(&t->names, name_off);

	if (!name || end < entry || end > t->etext - t->text)
		return false;
	*ret = (struct go_func){.entry = t->text + entry, .end = t->text + end,
				.func_off = func_off, .name = name};
	return true;
}

/* Index of the last function that begins at or before offset of text; 0 if none does. */
static size_t search_ftab(const struct pclntab *t, uint64_t offset)
{
	size_t low = 0, high = t->n;

	while (low + 1 < high) {
		size_t mid = low + (high - low) / 2;
		uint32_t entry = 0;

		table_u32(&t->ftab, mid * FTAB_ENTRY, &entry);
		if (entry <= offset)
			low = mid;
		else
			high = mid;
	}
	return low;
}

bool pclntab_find_pc(const struct pclntab *t, uint64_t vaddr, struct go_func *ret)
{
	struct go_func f;

	if (vaddr < t->text || vaddr >= t->etext)
		return false;
	if (!pclntab_func(t, search_ftab(t, vaddr - t->text), &f) || vaddr < f.entry || vaddr >= f.end)
		return false;
	*ret = f;
	return true;
}

size_t pclntab_find_all(const struct pclntab *t, const char *name, struct go_func *ret, size_t max)
{
	const uint64_t *first = map64_get(&t->by_name, hash_name(name));
	size_t n = 0;

	for (uint64_t i = first ? *first : 0; i && n < max; i = t->next_of_name[i - 1]) {
		struct go_func f;

		if (pclntab_func(t, i - 1, &f) && !strcmp(f.name, name))
			ret[n++] = f;
	}
	return n;
}

bool pclntab_find_name(const struct pclntab *t, const char *name, struct go_func *ret)
{
	struct go_func same[8];
	size_t n = pclntab_find_all(t, name, same, ARRAY_SIZE(same)), best = 0;

	if (!n)
		return false;
	for (size_t i = 1; i < n; i++)
		if (same[i].end - same[i].entry > same[best].end - same[best].entry)
			best = i;
	*ret = same[best];
	return true;
}

bool pclntab_func_info(const struct pclntab *t, uint64_t vaddr, struct func_info *ret)
{
	const struct pclntab_layout *l = t->layout;
	struct go_func f;

	if (!pclntab_find_pc(t, vaddr, &f))
		return false;
	struct func_info i = {.entry = f.entry, .end = f.end, .at = f.func_off};

	if (!table_u32(&t->funcs, i.at + 4, &i.name_off) || !table_u32(&t->funcs, i.at + 20, &i.pcfile) ||
	    !table_u32(&t->funcs, i.at + 24, &i.pcln) || !table_u32(&t->funcs, i.at + 28, &i.npcdata) ||
	    !table_u32(&t->funcs, i.at + 32, &i.cu_offset) ||
	    !table_u8(&t->funcs, i.at + l->func_id_at, &i.func_id) ||
	    !table_u8(&t->funcs, i.at + l->nfuncdata_at, &i.nfuncdata))
		return false;
	*ret = i;
	return true;
}

/*
 * runtime/symtab.go: pcvalue, step. Pairs of varints: a zigzag change of the value and by how far the pc moves on;
 * a change of 0 that is not the first ends the table. So does a pc that does not move, which no linker writes: a function
 * has no more steps than bytes.
 */
void pclntab_pcsteps(const struct pclntab *t, uint32_t table, const struct func_info *f, struct pc_steps *ret)
{
	uint32_t value = (uint32_t)-1;
	uint64_t pc = f->entry;

	ret->n = 0;
	if (!table || table >= t->pctab.n)
		return;
	struct cursor c = cursor_of(t->pctab.p + table, t->pctab.n - table);

	while (pc < f->end) {
		uint32_t change = (uint32_t)cursor_varint(&c), distance = (uint32_t)cursor_varint(&c);

		if (c.bad || (!change && ret->n) || !distance)
			break;
		value += -(change & 1) ^ change >> 1;
		pc += distance;
		*vec_push(ret) = (struct pc_step){pc, (int32_t)value};
	}
}

uint32_t pclntab_pcdata(const struct pclntab *t, const struct func_info *f, uint32_t which)
{
	uint32_t offset = 0;

	if (which < f->npcdata)
		table_u32(&t->funcs, f->at + t->layout->func_size + 4ull * which, &offset);
	return offset;
}

uint64_t pclntab_funcdata(const struct pclntab *t, const struct func_info *f, uint32_t which)
{
	uint64_t at = f->at + t->layout->func_size + 4ull * f->npcdata + 4ull * which;
	uint32_t offset;

	if (which >= f->nfuncdata || !table_u32(&t->funcs, at, &offset) || offset == UINT32_MAX)
		return 0;
	return t->gofunc + offset;
}
