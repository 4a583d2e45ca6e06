/* SPDX-License-Identifier: Apache-2.0 */
/* image.c - see image.h. The layouts are those of elf(5); everything is decoded through cursor. */
#include "target/image.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE 4096ull
#define MAX_SEGMENTS 64 /* linkers write 3 to 6; image_at walks them */

struct program_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, file_size, mem_size, align;
};

static const char *machine_name(uint16_t machine)
{
	switch (machine) {
	case EM_386: return "a 386";
	case EM_ARM: return "an arm";
	case EM_AARCH64: return "an arm64";
	case EM_RISCV: return "a riscv64";
	case EM_S390: return "an s390x";
	case EM_PPC64: return "a ppc64";
	case EM_MIPS: return "a mips";
	case 258: return "a loong64"; /* EM_LOONGARCH, absent from older elf.h */
	default: return "a foreign";
	}
}

static int check_ident(const uint8_t *ident, uint16_t machine, struct why *why)
{
	static const char only[] = "gotrace traces linux/amd64 programs";

	if (memcmp(ident, ELFMAG, SELFMAG))
		return why_set(why, -ENOEXEC, "not an ELF file; %s", only);
	if (ident[EI_DATA] == ELFDATA2LSB && machine != EM_X86_64)
		return why_set(why, -ENOEXEC, "%s program; %s", machine_name(machine), only);
	if (ident[EI_CLASS] != ELFCLASS64)
		return why_set(why, -ENOEXEC, "a 32-bit program; %s", only);
	if (ident[EI_DATA] != ELFDATA2LSB)
		return why_set(why, -ENOEXEC, "a big-endian program; %s", only);
	return 0;
}

static int check_type(uint16_t type, struct why *why)
{
	switch (type) {
	case ET_EXEC:
	case ET_DYN:
		return 0;
	case ET_CORE:
		return why_set(why, -ENOEXEC, "a core dump, not a program");
	case ET_REL:
		return why_set(why, -ENOEXEC, "an object file, not a program");
	default:
		return why_set(why, -ENOEXEC, "ELF type %u, not a program", type);
	}
}

static struct program_header read_program_header(struct cursor *c)
{
	struct program_header h = {0};

	h.type = cursor_u32(c);
	h.flags = cursor_u32(c);
	h.offset = cursor_u64(c);
	h.vaddr = cursor_u64(c);
	cursor_u64(c); /* physical address */
	h.file_size = cursor_u64(c);
	h.mem_size = cursor_u64(c);
	h.align = cursor_u64(c);
	return h;
}

/* The part of the file that h names, or NULL. */
static uint8_t *file_part(const struct image *im, const struct program_header *h)
{
	if (h->offset > im->map_size || h->file_size > im->map_size - h->offset)
		return NULL;
	return (uint8_t *)im->map + h->offset;
}

static bool range_wraps(const struct program_header *h)
{
	uint64_t end;

	return h->file_size > h->mem_size || __builtin_add_overflow(h->vaddr, h->mem_size, &end);
}

/* *copied bounds the private copies: honest segments do not overlap in the file. */
static int add_segment(struct image *im, const struct program_header *h, uint64_t *copied,
		       struct why *why)
{
	uint8_t *part = file_part(im, h);

	if (!part)
		return why_set(why, -ENOEXEC, "truncated: a segment of %llu bytes at offset %#llx, "
			       "the file has %zu", (unsigned long long)h->file_size,
			       (unsigned long long)h->offset, im->map_size);
	if (im->n_segments == MAX_SEGMENTS || range_wraps(h))
		return why_set(why, -ENOEXEC, "damaged ELF program headers");
	bool is_writable = h->flags & PF_W;

	if (is_writable && (*copied += h->file_size) > im->map_size)
		return why_set(why, -ENOEXEC, "damaged ELF file: its segments overlap");
	im->segments[im->n_segments++] = (struct image_segment){
		.vaddr = h->vaddr,
		.file_offset = h->offset,
		.file_size = h->file_size,
		.mem_size = h->mem_size,
		.data = is_writable ? xmemdup(part, h->file_size) : part,
		.writable = is_writable,
		.executable = h->flags & PF_X,
	};
	return 0;
}

static void hex(char *out, size_t out_size, const uint8_t *bytes, size_t n)
{
	out[0] = 0;
	for (size_t i = 0; i < n && 2 * i + 2 < out_size; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* Go: cmd/link/internal/ld/elf.go: ELFNOTE_GO_NAME, ELF_NOTE_GOBUILDID_TAG = 4 (all versions). */
static void read_note(struct image *im, const uint8_t *name, uint32_t name_size, uint32_t type,
		      const uint8_t *desc, uint32_t desc_size)
{
	if (name_size != 4)
		return;
	if (!memcmp(name, "Go\0", 4) && type == 4)
		copy_ascii(im->build_id, sizeof(im->build_id), desc, desc_size);
	if (!memcmp(name, "GNU", 4) && type == NT_GNU_BUILD_ID)
		hex(im->gnu_build_id, sizeof(im->gnu_build_id), desc, desc_size);
}

static void skip_padding(struct cursor *c, const uint8_t *start, uint64_t align)
{
	uint64_t over = (uint64_t)(c->p - start) % align;

	if (over)
		cursor_bytes(c, min_u64(align - over, cursor_left(c)));
}

/* Reads the note at c; start is where padding is counted from. False: there is none. */
static bool next_note(struct image *im, struct cursor *c, const uint8_t *start, uint64_t align)
{
	uint32_t name_size = cursor_u32(c), desc_size = cursor_u32(c);
	uint32_t type = cursor_u32(c);
	const uint8_t *name = cursor_bytes(c, name_size);

	skip_padding(c, start, align);
	const uint8_t *desc = cursor_bytes(c, desc_size);

	skip_padding(c, start, align);
	if (c->bad)
		return false;
	read_note(im, name, name_size, type, desc, desc_size);
	return true;
}

static void read_notes(struct image *im, const struct program_header *h)
{
	const uint8_t *part = file_part(im, h);
	uint64_t align = h->align == 8 ? 8 : 4;

	if (!part)
		return;
	struct cursor c = cursor_of(part, h->file_size);

	while (cursor_left(&c) >= 12 && next_note(im, &c, part, align))
		;
	/* Go's own linker puts the GNU note right behind the Go note, but not into PT_NOTE (seen in 1.26.8). */
	if (!c.bad && im->build_id[0] && !im->gnu_build_id[0]) {
		c.end = (uint8_t *)im->map + im->map_size;
		next_note(im, &c, part, align);
	}
}

static struct image_segment *segment_of(const struct image *im, uint64_t vaddr)
{
	for (size_t i = 0; i < im->n_segments; i++) {
		struct image_segment *s = &im->segments[i];

		if (vaddr >= s->vaddr && vaddr - s->vaddr < s->file_size)
			return s;
	}
	return NULL;
}

static void relocate_word(struct image *im, uint64_t vaddr, uint64_t value)
{
	struct image_segment *s = segment_of(im, vaddr);

	if (!s || !s->writable || s->file_size - (vaddr - s->vaddr) < 8)
		return;
	for (int i = 0; i < 8; i++)
		s->data[vaddr - s->vaddr + i] = (uint8_t)(value >> (8 * i));
}

static void apply_rela(struct image *im, uint64_t vaddr, uint64_t size)
{
	uint64_t n = min_u64(size, image_left(im, vaddr));
	const uint8_t *p = image_at(im, vaddr, n);

	if (!p)
		return;
	/* A copy: a hostile table may lie in the very data that it relocates. */
	CLEANUP(freep) uint8_t *table = xmemdup(p, n);
	struct cursor c = cursor_of(table, n);

	while (cursor_left(&c) >= 24) {
		uint64_t offset = cursor_u64(&c), info = cursor_u64(&c), addend = cursor_u64(&c);

		if ((uint32_t)info == R_X86_64_RELATIVE)
			relocate_word(im, offset, addend);
	}
}

/*
 * What ld.so would do at bias 0. DT_RELR needs nothing: its addends stand in the relocated words already, which
 * hence hold the file's addresses; RELA words may be zero in the file.
 */
static void relocate(struct image *im, const struct program_header *dynamic)
{
	const uint8_t *part = file_part(im, dynamic);
	uint64_t rela = 0, rela_size = 0;

	if (!part)
		return;
	struct cursor c = cursor_of(part, dynamic->file_size);

	while (cursor_left(&c) >= 16) {
		uint64_t tag = cursor_u64(&c), value = cursor_u64(&c);

		if (tag == DT_NULL)
			break;
		if (tag == DT_RELA)
			rela = value;
		else if (tag == DT_RELASZ)
			rela_size = value;
	}
	if (rela && rela_size)
		apply_rela(im, rela, rela_size);
}

static int read_program_headers(struct image *im, struct cursor headers, uint16_t n, struct why *why)
{
	struct program_header dynamic = {0};
	uint64_t copied = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct program_header h = read_program_header(&headers);
		int err = 0;

		if (h.type == PT_LOAD && h.mem_size)
			err = add_segment(im, &h, &copied, why);
		else if (h.type == PT_NOTE)
			read_notes(im, &h);
		else if (h.type == PT_DYNAMIC)
			dynamic = h;
		else if (h.type == PT_INTERP)
			im->has_interp = true;
		if (err)
			return err;
	}
	if (!im->n_segments)
		return why_set(why, -ENOEXEC, "an ELF file without loadable segments, not a program");
	im->first_vaddr = im->segments[0].vaddr & ~(PAGE - 1);
	if (dynamic.type)
		relocate(im, &dynamic);
	return 0;
}

static int parse(struct image *im, struct why *why)
{
	struct cursor c = cursor_of(im->map, im->map_size);
	const uint8_t *ident = cursor_bytes(&c, EI_NIDENT);
	uint16_t type = cursor_u16(&c), machine = cursor_u16(&c);

	if (!ident || (c.bad && memcmp(ident, ELFMAG, SELFMAG)))
		return why_set(why, -ENOEXEC, "not an ELF file (%zu bytes)", im->map_size);
	if (c.bad)
		return why_set(why, -ENOEXEC, "truncated ELF file (%zu bytes)", im->map_size);
	int err = check_ident(ident, machine, why);

	err = err ? err : check_type(type, why);
	if (err)
		return err;
	cursor_u32(&c); /* e_version */
	im->is_pie = type == ET_DYN;
	im->entry = cursor_u64(&c);
	uint64_t table_at = cursor_u64(&c);

	cursor_bytes(&c, 8 + 4 + 2); /* e_shoff, e_flags, e_ehsize */
	uint16_t entry_size = cursor_u16(&c), n = cursor_u16(&c);

	if (c.bad || table_at > im->map_size || im->map_size - table_at < n * sizeof(Elf64_Phdr))
		return why_set(why, -ENOEXEC, "truncated ELF file: no program headers");
	if (entry_size != sizeof(Elf64_Phdr))
		return why_set(why, -ENOEXEC, "damaged ELF program headers");
	struct cursor headers = cursor_of((uint8_t *)im->map + table_at, n * sizeof(Elf64_Phdr));

	return read_program_headers(im, headers, n, why);
}

static int map_file(struct image *im, int fd, struct why *why)
{
	struct stat st;

	if (fstat(fd, &st))
		return why_set(why, -errno, "cannot stat the executable: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size < EI_NIDENT)
		return why_set(why, -ENOEXEC, "not an ELF file");
	im->map_size = (size_t)st.st_size;
	im->map = mmap(NULL, im->map_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (im->map != MAP_FAILED)
		return 0;
	im->map = NULL;
	return why_set(why, -errno, "cannot map the executable: %s", strerror(errno));
}

int image_open(int fd, struct image **ret, struct why *why)
{
	CLEANUP(image_closep) struct image *im = xcalloc(1, sizeof(*im));

	im->segments = xcalloc(MAX_SEGMENTS, sizeof(*im->segments));
	int err = map_file(im, fd, why);

	err = err ? err : parse(im, why);
	if (err)
		return err;
	*ret = im;
	im = NULL;
	return 0;
}

void image_close(struct image *im)
{
	if (!im)
		return;
	for (size_t i = 0; i < im->n_segments; i++)
		if (im->segments[i].writable)
			free(im->segments[i].data);
	free(im->segments);
	if (im->map)
		munmap(im->map, im->map_size);
	free(im);
}

void image_closep(struct image **im)
{
	image_close(*im);
}

const uint8_t *image_at(const struct image *im, uint64_t vaddr, uint64_t n)
{
	const struct image_segment *s = segment_of(im, vaddr);

	if (!s || n > s->file_size - (vaddr - s->vaddr))
		return NULL;
	return s->data + (vaddr - s->vaddr);
}

uint64_t image_left(const struct image *im, uint64_t vaddr)
{
	const struct image_segment *s = segment_of(im, vaddr);

	return s ? s->file_size - (vaddr - s->vaddr) : 0;
}

bool image_u64(const struct image *im, uint64_t vaddr, uint64_t *ret)
{
	const uint8_t *p = image_at(im, vaddr, 8);

	if (!p)
		return false;
	struct cursor c = cursor_of(p, 8);

	*ret = cursor_u64(&c);
	return true;
}

bool image_u32(const struct image *im, uint64_t vaddr, uint32_t *ret)
{
	const uint8_t *p = image_at(im, vaddr, 4);

	if (!p)
		return false;
	struct cursor c = cursor_of(p, 4);

	*ret = cursor_u32(&c);
	return true;
}

int64_t image_file_offset(const struct image *im, uint64_t vaddr)
{
	const struct image_segment *s = segment_of(im, vaddr);

	return s ? (int64_t)(s->file_offset + (vaddr - s->vaddr)) : -1;
}
