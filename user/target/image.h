/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h - an ELF executable as its segments lie in memory.
 *
 * Works from program headers alone (no section headers, no symbols needed); R_X86_64_RELATIVE is applied, so
 * pointers in data are virtual addresses of the file. All reads are bounded; the file is untrusted.
 * Addresses are the file's ("vaddr"); a running process has them at vaddr + bias (process.h).
 */
#ifndef TARGET_IMAGE_H
#define TARGET_IMAGE_H

#include "base/base.h"

struct image_segment {
	uint64_t vaddr, file_offset, file_size, mem_size;
	uint8_t *data;     /* file_size bytes, relocated private copy or a map of the file */
	bool writable, executable;
};

struct image {
	struct image_segment *segments;
	size_t n_segments;
	bool is_pie;       /* ET_DYN */
	bool has_interp;   /* dynamically linked */
	uint64_t entry;
	uint64_t first_vaddr; /* of the first PT_LOAD, rounded down to a page */
	char build_id[128];   /* Go build id if any (note), else "" */
	char gnu_build_id[65]; /* hex, else "" */
	void *map; size_t map_size;
};

/* -ENOENT/-EACCES..: cannot open; -ENOEXEC: not an ELF executable for this machine (why says which). fd is not kept. */
int image_open(int fd, struct image **ret, struct why *why);
void image_close(struct image *im);
void image_closep(struct image **im);

/* n bytes at vaddr inside one segment's file part, or NULL. Zero-copy, lives as long as the image. */
const uint8_t *image_at(const struct image *im, uint64_t vaddr, uint64_t n);
/* How many bytes from vaddr to the end of its segment's file part, 0 if not mapped. */
uint64_t image_left(const struct image *im, uint64_t vaddr);
bool image_u64(const struct image *im, uint64_t vaddr, uint64_t *ret);
bool image_u32(const struct image *im, uint64_t vaddr, uint32_t *ret);
/* Offset in the file of vaddr (for uprobes), or -1. */
int64_t image_file_offset(const struct image *im, uint64_t vaddr);

#endif
