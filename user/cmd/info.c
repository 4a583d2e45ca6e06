/* SPDX-License-Identifier: Apache-2.0 */
/* info.c - gotrace info: what a trace file tells about how it was recorded, and what it lost. */
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/session.h"
#include "gotrace/record.h"
#include "read/extra.h"
#include "trace/extra.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	void *bytes;
	size_t n;
};

static int map_file(const char *path, struct file *ret, struct why *why)
{
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return why_set(why, -errno, "cannot open %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return why_set(why, -EINVAL, "%s is not a regular file", path);
	if (!st.st_size)
		return why_set(why, -EBADMSG, "%s is empty", path);
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED)
		return why_set(why, -errno, "cannot read %s: %s", path, strerror(errno));
	*ret = (struct file){ p, (size_t)st.st_size };
	return 0;
}

/* As it was said; bytes that could steer a terminal are not. */
static void print_metadata(const struct extra_chunk *c)
{
	const char *p = (const char *)c->data, *end = p + c->n;

	while (p < end) {
		const char *line = memchr(p, '\n', (size_t)(end - p));
		const char *stop = line ? line : end, *eq = memchr(p, '=', (size_t)(stop - p));

		/* the names of wait reasons are for print_attached */
		if (eq && eq - p < 64 && strncmp(p, "waitreason.", 11)) {
			printf("%-14.*s ", (int)(eq - p), p);
			for (const char *v = eq + 1; v < stop; v++)
				putchar(printable(*v));
			putchar('\n');
		}
		p = stop + 1;
	}
}

enum { MAX_PLACES = 10 };

struct tally {
	uint64_t blocks, known[8];
	uint64_t attached[256]; /* goroutines by the number of their wait reason */
	uint64_t places, lost;  /* of losses */
};

/* The first places one by one: an overflow in every second would fill the screen. */
static void print_loss(struct tally *t, const struct extra_chunk *c)
{
	uint64_t from, to, n;

	if (extra_decode_loss(c, &from, &to, &n))
		return;
	t->lost += n;
	if (t->places++ < MAX_PLACES)
		printf("%-14s %" PRIu64 " records from %" PRIu64 " to %" PRIu64 " ns\n", "loss", n,
		       from, to);
}

static void count_waits(struct tally *t, const struct extra_chunk *c)
{
	struct wait_decoder d;
	uint8_t kind;
	uint64_t object;

	wait_decoder_init(&d, c);
	while (wait_decoder_next(&d, &kind, &object) == 1) {
		t->blocks++;
		t->known[kind < 8 ? kind : 0]++;
	}
	wait_decoder_free(&d);
}

static void count_attached(struct tally *t, const struct extra_chunk *c)
{
	struct attach_decoder d;
	uint64_t goid;
	uint8_t block, wait;

	attach_decoder_init(&d, c);
	while (attach_decoder_next(&d, &goid, &block, &wait) == 1)
		t->attached[wait]++;
}

/* What the goroutines waited for that were there at attach: the texts are the target's own. */
static void print_attached(const struct tally *t, const struct extra_chunks *x)
{
	for (unsigned i = 0; i < 256; i++) {
		char key[32];

		if (!t->attached[i])
			continue;
		snprintf(key, sizeof(key), "waitreason.%u", i);
		CLEANUP(freep) char *text = extra_metadata_value(x, key);

		printf("%-14s %" PRIu64 " goroutines waiting: %s\n", "at_attach", t->attached[i],
		       text ? text : "?");
	}
}

static void print_tally(const struct tally *t)
{
	if (t->places > MAX_PLACES)
		printf("%-14s ... %" PRIu64 " places in all, %" PRIu64 " records\n", "loss",
		       t->places, t->lost);
	if (t->blocks)
		printf("%-14s %" PRIu64 " blocks: %" PRIu64 " on channels, %" PRIu64
		       " on locks, %" PRIu64 " on descriptors, %" PRIu64 " on others\n",
		       "wait_objects", t->blocks, t->known[WAIT_CHAN], t->known[WAIT_SEMA],
		       t->known[WAIT_FD], t->known[WAIT_ADDR]);
}

static int print_info(const char *path, const struct file *f)
{
	struct extra_chunks x = { 0 };
	struct tally t = { 0 };
	struct why why = { "" };
	int err = extra_scan(f->bytes, f->n, &x);

	if (err) {
		why_set(&why, err, "%s is not a Go execution trace", path);
		return fail(err, &why);
	}
	printf("%-14s %.13s, %zu bytes%s\n", "trace", (char *)f->bytes, f->n,
	       f->n == 16 ? ", empty: no event in it"
	       : x.is_cut ? ", cut: its recording was not ended"
			  : "");
	if (!x.chunks.n)
		printf("%-14s not gotrace: nothing else is told\n", "recorded_by");
	for (size_t i = 0; i < x.chunks.n; i++) {
		const struct extra_chunk *c = &x.chunks.v[i];

		switch ((enum extra_kind)c->kind) {
		case EXTRA_METADATA:
			print_metadata(c);
			break;
		case EXTRA_LOSS:
			print_loss(&t, c);
			break;
		case EXTRA_WAITS:
			count_waits(&t, c);
			break;
		case EXTRA_ATTACH:
			count_attached(&t, c);
			break;
		}
	}
	print_attached(&t, &x);
	print_tally(&t);
	extra_chunks_free(&x);
	return 0;
}

int cmd_info(int argc, char **argv)
{
	struct why why = { "" };
	struct file f = { 0 };
	int first, err = options_parse(NULL, 0, NULL, argc, argv, &first, &why);

	if (err == -ECANCELED) {
		printf("usage: gotrace info FILE\n\nPrints what a trace tells about its recording, "
		       "and what was lost.\n");
		return 0;
	}
	if (!err && argc - first != 1)
		err = why_set(&why, -EINVAL, "give one trace file");
	if (err)
		return misuse("info", &why);
	err = map_file(argv[first], &f, &why);
	if (err)
		return fail(err, &why);
	int code = print_info(argv[first], &f);

	munmap(f.bytes, f.n);
	return code;
}
