/* SPDX-License-Identifier: Apache-2.0 */
/* test_image.c - ELF files, whole and damaged, and what built them; expected values are readelf's and go's. */
#include "gobuild.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "target/pclntab.h"

static const char hello[] =
"package main\n"
"import \"runtime\"\n"
"func main() { println(runtime.Version()) }\n";

static struct image *open_image(const char *path)
{
	struct image *im = NULL;
	struct why why = {0};
	CLEANUP(closep) int fd = open(path, O_RDONLY);

	if (image_open(fd, &im, &why))
		fail_msg("%s: %s", path, why.text);
	return im;
}

static int fd_of(const void *bytes, size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, bytes, n), 0);
	return fd;
}

/* First word of a command's output. */
static char *word_of(const char *format, const char *program)
{
	CLEANUP(freep) char *command = xasprintf(format, program);
	char *out = output_of(command);

	out[strcspn(out, " \n")] = 0;
	return out;
}

static void build_ids_are_those_that_go_and_readelf_print(void **state)
{
	CLEANUP(freep) char *program = gobuild(*state, "hello", hello, NULL, "-ldflags=-B=0x00112233445566778899aabb");
	CLEANUP(image_closep) struct image *im = open_image(program);
	CLEANUP(freep) char *go_id = word_of("go tool buildid %s", program);
	CLEANUP(freep) char *gnu_id = word_of("readelf -nW %s | sed -n 's/.*Build ID: //p'", program);

	assert_string_equal(im->build_id, go_id);
	assert_string_equal(im->gnu_build_id, gnu_id);
	assert_string_equal(im->gnu_build_id, "00112233445566778899aabb");
}

static void segments_are_those_of_readelf(void **state)
{
	CLEANUP(freep) char *program = gobuild(*state, "pie", hello, NULL, "-buildmode=pie -ldflags='-s -w'");
	CLEANUP(image_closep) struct image *im = open_image(program);
	CLEANUP(freep) char *command = xasprintf("readelf -lW %s | grep LOAD", program);
	CLEANUP(freep) char *lines = output_of(command);
	size_t i = 0;

	for (char *save, *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save), i++) {
		unsigned long long offset, vaddr, file_size, mem_size;

		assert_int_equal(sscanf(line, " LOAD %llx %llx %*x %llx %llx", &offset, &vaddr, &file_size,
					&mem_size), 4);
		assert_true(i < im->n_segments);
		assert_int_equal(im->segments[i].vaddr, vaddr);
		assert_int_equal(im->segments[i].file_size, file_size);
		assert_int_equal(im->segments[i].mem_size, mem_size);
		assert_int_equal(image_file_offset(im, vaddr), offset);
		assert_int_equal(image_left(im, vaddr), file_size);
		assert_null(image_at(im, vaddr, file_size + 1));
	}
	assert_int_equal(i, im->n_segments);
	assert_true(im->is_pie && im->has_interp);
}

/* go's and GNU ld write the addresses where ld.so will put them, too; other linkers leave zeros, as this test does. */
static void pointers_of_a_pie_are_relocated(void **state)
{
	CLEANUP(freep) char *program = gobuild(*state, "pie_syms", hello, NULL, "-buildmode=pie");
	CLEANUP(image_closep) struct image *whole = open_image(program);
	CLEANUP(image_closep) struct image *im = NULL;
	CLEANUP(freep) char *command = xasprintf(
		"go tool nm %s | awk '$3==\"runtime.firstmoduledata\"||$3==\"runtime.text\"{print $3,$1}' | sort", program);
	CLEANUP(freep) char *out = output_of(command);
	CLEANUP(buf_free) struct buf file = {0};
	unsigned long long moduledata, text_symbol;
	uint64_t text;
	struct why why;

	assert_int_equal(sscanf(out, "runtime.firstmoduledata %llx runtime.text %llx", &moduledata, &text_symbol), 2);
	assert_int_equal(read_file(program, 1 << 28, &file), 0);
	memset(file.v + image_file_offset(whole, moduledata + 176), 0, 8);
	CLEANUP(closep) int fd = fd_of(file.v, file.n);

	assert_int_equal(image_open(fd, &im, &why), 0);
	assert_true(image_u64(im, moduledata + 176, &text));
	assert_int_equal(text, text_symbol);
}

static void what_is_no_amd64_program_is_refused_with_its_reason(void **state)
{
	Elf64_Ehdr good = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_phoff = sizeof(good),
		.e_phentsize = sizeof(Elf64_Phdr),
	};
	Elf64_Ehdr arm = good, i386 = good, core = good, no_headers = good;

	arm.e_machine = EM_AARCH64;
	i386.e_machine = EM_X86_64;
	i386.e_ident[EI_CLASS] = ELFCLASS32;
	core.e_type = ET_CORE;
	no_headers.e_phnum = 3;
	const struct { const void *bytes; size_t n; const char *words; } files[] = {
		{&arm, sizeof(arm), "an arm64 program; gotrace traces linux/amd64 programs"},
		{&i386, sizeof(i386), "32-bit"},
		{&core, sizeof(core), "core dump"},
		{&no_headers, sizeof(no_headers), "truncated"},
		{&good, 18, "truncated"},
		{&good, sizeof(good), "without loadable segments"},
		{"#!/bin/sh\necho a script\n", 24, "not an ELF"},
		{"", 0, "not an ELF"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		CLEANUP(closep) int fd = fd_of(files[i].bytes, files[i].n);
		struct image *im = NULL;
		struct why why = {0};

		assert_int_equal(image_open(fd, &im, &why), -ENOEXEC);
		assert_null(im);
		if (!strstr(why.text, files[i].words))
			fail_msg("\"%s\" does not say \"%s\"", why.text, files[i].words);
	}
}

static void a_version_is_parsed_or_refused(void **state)
{
	static const struct { const char *text; int minor, patch; bool is_custom; } good[] = {
		{"go1.26.8", 26, 8, false}, {"go1.18", 18, 0, false}, {"go1.27rc1", 27, 0, true},
		{"go1.22.3 X:foo", 22, 3, true}, {"go1.26.1-X:nogreenteagc", 26, 1, true},
		{"devel go1.28-abc Mon", 28, 0, true}, {"go1.21.13-vendor", 21, 13, true},
	};
	static const char *bad[] = {"", "go", "go1", "go1.", "gone1.2", "devel +abc", "1.22.3", "go1.x"};
	struct go_version v;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(go_version_parse(good[i].text, &v), 0);
		assert_int_equal(v.major, 1);
		assert_int_equal(v.minor, good[i].minor);
		assert_int_equal(v.patch, good[i].patch);
		assert_int_equal(v.is_custom, good[i].is_custom);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(go_version_parse(bad[i], &v), -EINVAL);
	go_version_parse("go1.22.3", &v);
	assert_int_equal(go_version_cmp(&v, 1, 22, 3), 0);
	assert_true(go_version_cmp(&v, 1, 22, 10) < 0 && go_version_cmp(&v, 1, 9, 9) > 0);
}

static void programs_that_cannot_be_traced_are_refused_with_a_reason(void **state)
{
	struct buildinfo bi = {.build_mode = "c-shared"};
	struct why why = {""};

	assert_int_equal(go_version_parse("go1.26.8", &bi.version), 0);
	assert_int_equal(buildinfo_check(&bi, &why), -ENOTSUP);
	assert_non_null(strstr(why.text, "c-shared"));
	strcpy(bi.build_mode, "exe");
	assert_int_equal(buildinfo_check(&bi, &why), 0);
	assert_int_equal(go_version_parse("go1.17.2", &bi.version), 0);
	assert_int_equal(buildinfo_check(&bi, &why), -ENOTSUP);
	assert_string_equal(why.text, "built by go1.17.2; Go 1.18 is the oldest that gotrace traces");
}

static void build_settings_are_those_of_go_version_m(void **state)
{
	CLEANUP(freep) char *program = gobuild(*state, "pie", hello, NULL, "-buildmode=pie -ldflags='-s -w'");
	CLEANUP(image_closep) struct image *im = open_image(program);
	CLEANUP(freep) char *version = word_of("go version %s | sed 's/.*: //'", program);
	CLEANUP(freep) char *path = word_of("go version -m %s | sed -n 's/^\tpath\t//p'", program);
	CLEANUP(freep) char *cgo = word_of("go version -m %s | sed -n 's/.*CGO_ENABLED=//p'", program);
	struct buildinfo bi;
	struct why why;

	assert_int_equal(buildinfo_read(im, &bi, &why), 0);
	assert_string_equal(bi.version.text, version);
	assert_string_equal(bi.path, path);
	assert_string_equal(bi.build_mode, "pie");
	assert_int_equal(bi.is_cgo, !strcmp(cgo, "1"));
	assert_false(bi.is_race || bi.guessed);
}

static void without_build_info_the_version_is_guessed_from_a_string(void **state)
{
	CLEANUP(freep) char *program = gobuild(*state, "hello", hello, NULL, "-ldflags=-B=0x00112233445566778899aabb");
	CLEANUP(freep) char *version = word_of("%s 2>&1", program);
	CLEANUP(buf_free) struct buf file = {0};
	struct buildinfo bi;
	struct image *im = NULL;
	struct why why;

	assert_int_equal(read_file(program, 1 << 28, &file), 0);
	for (uint8_t *p = file.v; (p = memmem(p, (size_t)(file.v + file.n - p), "\xff Go buildinf:", 14)); p += 14)
		memset(p, 0, 14 + 18 + 16);
	CLEANUP(closep) int fd = fd_of(file.v, file.n);

	assert_int_equal(image_open(fd, &im, &why), 0);
	assert_int_equal(buildinfo_read(im, &bi, &why), 0);
	assert_true(bi.guessed);
	assert_string_equal(bi.version.text, version);
	image_close(im);
}

/* Everything that reads a file, on one that may be damaged anywhere. */
static void read_everything(const uint8_t *bytes, size_t n)
{
	CLEANUP(closep) int fd = fd_of(bytes, n);
	CLEANUP(image_closep) struct image *im = NULL;
	struct buildinfo bi = {.version = {.major = 1, .minor = 26}};
	struct pclntab *t = NULL;
	struct why why;
	struct go_func f;

	if (image_open(fd, &im, &why))
		return;
	buildinfo_read(im, &bi, &why);
	if (pclntab_open(im, &bi.version, &t, &why))
		return;
	struct symbols *s = pclntab_symbols(t, 0);
	uint64_t length = pclntab_etext(t) - pclntab_text(t);

	pclntab_find_name(t, "runtime.casgstatus", &f);
	for (uint64_t at = 0; at < length; at += length / 200 + 1) {
		struct frame frames[SYMBOL_MAX_INLINE];
		int n_frames = s->frames(s, pclntab_text(t) + at, frames, SYMBOL_MAX_INLINE);

		for (int i = 0; i < n_frames; i++)
			assert_true(strlen(frames[i].func) + strlen(frames[i].file) < n);
		s->start_func(s, pclntab_text(t) + at, frames);
	}
	symbols_close(s);
	pclntab_close(t);
}

static void a_truncated_program_is_read_without_a_fault(void **state)
{
	CLEANUP(freep) char *program = gobuild(*state, "pie", hello, NULL, "-buildmode=pie -ldflags='-s -w'");
	CLEANUP(buf_free) struct buf file = {0};

	assert_int_equal(read_file(program, 1 << 28, &file), 0);
	for (size_t n = 0; n < 1024; n += 16)
		read_everything(file.v, n);
	for (size_t i = 0; i < 16; i++)
		read_everything(file.v, file.n / 16 * i);
}

/* Where a flip hurts most: headers and program headers, dynamic data, pclntab's header, moduledata, its tables. */
struct hot_area {
	size_t at, n;
};

static size_t hot_areas(const uint8_t *bytes, size_t n, struct hot_area areas[6])
{
	CLEANUP(closep) int fd = fd_of(bytes, n);
	CLEANUP(image_closep) struct image *im = NULL;
	struct go_version v = {.major = 1, .minor = 26};
	struct pclntab *t = NULL;
	struct why why;
	uint64_t header, table;

	assert_int_equal(image_open(fd, &im, &why), 0);
	assert_int_equal(pclntab_open(im, &v, &t, &why), 0);
	uint64_t md = pclntab_moduledata(t);

	assert_true(image_u64(im, md, &header) && image_u64(im, md + 104, &table));
	areas[0] = (struct hot_area){0, 64 + 56 * 10};
	areas[1] = (struct hot_area){(size_t)image_file_offset(im, md), 400};
	areas[2] = (struct hot_area){(size_t)image_file_offset(im, header), 72};
	areas[3] = (struct hot_area){(size_t)image_file_offset(im, header), image_left(im, header) / 2};
	areas[4] = (struct hot_area){(size_t)image_file_offset(im, table), 4000};
	areas[5] = (struct hot_area){0, n};
	pclntab_close(t);
	return 6;
}

static void a_damaged_program_is_read_without_a_fault(void **state)
{
	CLEANUP(freep) char *program = gobuild(*state, "hello", hello, NULL, "-ldflags=-B=0x00112233445566778899aabb");
	CLEANUP(buf_free) struct buf file = {0};
	struct hot_area areas[6];
	uint64_t random = 1;

	assert_int_equal(read_file(program, 1 << 28, &file), 0);
	size_t n_areas = hot_areas(file.v, file.n, areas);

	for (size_t round = 0; round < 300; round++) {
		struct { size_t at; uint8_t was; } changes[8];
		struct hot_area a = areas[round % n_areas];

		for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
			random = hash_u64(random + 0x9e3779b97f4a7c15ull);
			changes[i].at = a.at + random % a.n;
			changes[i].was = file.v[changes[i].at];
			file.v[changes[i].at] ^= (uint8_t)(1 << (random >> 60 & 7));
			if (round & 1)
				file.v[changes[i].at] = (uint8_t)(random >> 50);
		}
		read_everything(file.v, file.n);
		for (size_t i = ARRAY_SIZE(changes); i-- > 0;)
			file.v[changes[i].at] = changes[i].was;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(build_ids_are_those_that_go_and_readelf_print),
		cmocka_unit_test(segments_are_those_of_readelf),
		cmocka_unit_test(pointers_of_a_pie_are_relocated),
		cmocka_unit_test(what_is_no_amd64_program_is_refused_with_its_reason),
		cmocka_unit_test(a_version_is_parsed_or_refused),
		cmocka_unit_test(programs_that_cannot_be_traced_are_refused_with_a_reason),
		cmocka_unit_test(build_settings_are_those_of_go_version_m),
		cmocka_unit_test(without_build_info_the_version_is_guessed_from_a_string),
		cmocka_unit_test(a_truncated_program_is_read_without_a_fault),
		cmocka_unit_test(a_damaged_program_is_read_without_a_fault),
	};

	return cmocka_run_group_tests(tests, gobuild_open, gobuild_clean);
}
