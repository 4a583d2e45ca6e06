/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reader.c - traces made by hand, one rule each (tests/corpus), with the verdict of
 * golang.org/x/exp/trace: ours is the same for all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "read/reader.h"

#define CORPUS "tests/corpus/"

/* What a file is to us: "ok" or a sentence; *events as Go's reader counts them. */
static const char *verdict(const char *path, uint64_t *events, struct why *why)
{
	struct trace_reader *r;
	const struct event *ev;
	int fd = open(path, O_RDONLY), n;

	*events = 0;
	assert_true(fd >= 0);
	n = trace_reader_open(fd, &r, why);
	if (n == 0) {
		while ((n = trace_reader_next(r, &ev)) > 0)
			*events += event_parts(ev);
		why_set(why, 0, "%s",
			n < 0                  ? trace_reader_error(r)
			: trace_reader_flaw(r) ? trace_reader_flaw(r)
					       : "ok");
		trace_reader_close(r);
	}
	close(fd);
	return why->text;
}

static void the_verdict_on_every_file_is_that_of_gos_reader(void **state)
{
	FILE *f = fopen(CORPUS "EXPECTED.tsv", "r");
	char line[1024], path[512];
	unsigned files = 0, wrong = 0;

	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f)); /* the heading */
	while (fgets(line, sizeof(line), f)) {
		char *name = strtok(line, "\t"), *expected = strtok(NULL, "\t");
		uint64_t events;
		struct why why;

		assert_non_null(expected);
		snprintf(path, sizeof(path), CORPUS "%s", name);
		const char *ours = verdict(path, &events, &why);

		files++;
		if (!strcmp(ours, "ok") == !strncmp(expected, "ok", 2))
			continue;
		wrong++;
		print_error("%s: expected %s, got %s\n", name, expected, ours);
	}
	fclose(f);
	assert_true(files > 150);
	assert_int_equal(wrong, 0);
}

/* Every prefix of a trace and every trace with one byte changed: read to some end, with a sentence
 * if it is a bad one. */
static void no_damage_makes_it_crash_or_hang(void **state)
{
	static const char *const names[] = { CORPUS "hdr-22.trace", CORPUS "hdr-26.trace",
					     CORPUS "s-destroy-22.trace" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct buf b = { 0 };

		assert_int_equal(read_file(names[i], 1 << 20, &b), 0);
		for (size_t cut = 0; cut <= 2 * b.n; cut++) {
			char path[] = "/tmp/gotrace-test-XXXXXX";
			int fd = mkstemp(path);
			uint64_t events;
			struct why why = { "" };

			assert_true(fd >= 0);
			if (cut > b.n)
				b.v[cut - b.n - 1] ^= (uint8_t)(1 + cut % 255);
			assert_int_equal(write_all(fd, b.v, cut > b.n ? b.n : cut), 0);
			close(fd);
			assert_true(*verdict(path, &events, &why) != 0);
			if (cut > b.n)
				b.v[cut - b.n - 1] ^= (uint8_t)(1 + cut % 255);
			unlink(path);
		}
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verdict_on_every_file_is_that_of_gos_reader),
		cmocka_unit_test(no_damage_makes_it_crash_or_hang),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
